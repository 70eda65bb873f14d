// How another thread wakes a poll: by a number that names it in this whole process. The one thing
// here that is not per thread. A number, rather than a duplicated descriptor, since it can be
// copied to any worker, costs nothing to forget, and names nothing once the poll is closed, where
// the number of a descriptor would name a stranger.
#pragma once

#include <uv.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "reactor/poller.h"

namespace sock::binding {

class WakeTarget {
 public:
  // Fits the integers of JavaScript. Random, so that the number of another copy of this addon in
  // the process is nobody's here.
  static constexpr uint64_t kNameMax = (uint64_t{1} << 53) - 1;

  explicit WakeTarget(reactor::Poller& poller);
  ~WakeTarget();
  WakeTarget(const WakeTarget&) = delete;
  WakeTarget& operator=(const WakeTarget&) = delete;

  uint64_t name() const { return name_; }
  // Once set, a wake-up also goes to the loop. Null takes it back.
  void set_async(uv_async_t* async);
  bool pending() const;
  // Whether it was woken since the last call.
  bool take();
  void wake();

 private:
  struct State;
  uint64_t name_;
  std::shared_ptr<State> state_;
};

// Any thread. False when no poll has that name, any more.
bool wake_target(uint64_t name);

}  // namespace sock::binding
