// A descriptor that any poll can watch for objects which are driven by hand: readable from notify()
// on, or from a deadline on, until their owner has looked. Level-triggered, so a look that comes
// late misses nothing, and one that comes for nothing finds nothing.
#pragma once

#include <limits>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "sys/unique_fd.h"

namespace sock::sys {

class Notifier {
 public:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  static Result<std::shared_ptr<Notifier>> make();
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // The same for as long as it is open; −1 afterwards.
  int fd() const { return fd_.get(); }
  // Any thread; several before the next clear() are one.
  void notify();
  // Readable no more, unless the deadline has passed. To be called before looking: what is notified
  // after it is for the next look.
  void clear();
  // Readable from then on, on the clock of now_ms(), whatever it was before.
  void set_deadline(double at_ms);
  // Readable while the descriptor is, or with `for_writing` while it is writable, or broken; until
  // unwatch(), which comes before its close. Again: replaces what it is watched for.
  Status watch(int fd, bool for_writing);
  void unwatch(int fd);
  // Threads that still know of it may go on notifying, to no effect.
  void close();

 private:
  struct Sources;
  Notifier(UniqueFd fd, std::unique_ptr<Sources> sources);

  // Held by whoever uses the descriptors: they must not be closed, and their numbers given to
  // others, between a look at them and their use.
  std::mutex mutex_;
  UniqueFd fd_;
  std::unique_ptr<Sources> sources_;
  bool notified_ = false;
};

}  // namespace sock::sys
