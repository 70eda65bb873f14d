// The contract of a readiness backend. Each backend is one file behind it.
//
// Promises, the same for all of them:
// - Readiness is reported once per change and direction ("edge"): after an event for a direction
//   the next one comes only after rearm() for it. A backend whose kernel reports edges by itself
//   (epoll) makes rearm() a no-op.
// - An event is a hint. The descriptor may have nothing to say by the time it is asked.
// - The poller borrows descriptors. remove() comes before close(); events that were already
//   collected may still carry the token afterwards, so tokens hold a generation.
// - kHangup and kError are reported whether asked for or not.
// - wait() may return early with nothing, as after wake(), a signal or a change of the table.
// - A descriptor that was closed without remove() may be taken for another: for a duplicate that
//   lives on (epoll), or for what has its number next (poll).
// - A regular file or folder is refused with EPERM, a closed descriptor with EBADF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"

namespace sock::reactor {

struct Token {
  uint32_t index = 0;
  uint32_t generation = 0;
};

using Interest = uint8_t;
inline constexpr Interest kRead = 1;
inline constexpr Interest kWrite = 2;
// Report for as long as the condition holds, not only when it changes. rearm() is then needless.
inline constexpr Interest kLevel = 4;
// Report once, whatever the direction, and then nothing at all, hang-ups and errors included, until
// modify(). With kLevel only.
inline constexpr Interest kOneShot = 8;
// Report that the peer's sending is over, whether or not there is something left to read. With
// kLevel and kOneShot only: it holds for ever. Where the system does not tell, nothing is reported.
inline constexpr Interest kPeerEnd = 16;

using Readiness = uint8_t;
inline constexpr Readiness kReadable = 1;
inline constexpr Readiness kWritable = 2;
// The peer will send no more, or the connection is broken: reads must go on to their end. That
// only the peer's sending is over is reported to edge interest in reading only.
inline constexpr Readiness kHangup = 4;
inline constexpr Readiness kError = 8;
// TCP urgent data: a read stops short at its mark, with more behind it. Reported to edge interest
// in reading only.
inline constexpr Readiness kUrgent = 16;
// Both directions are over: POLLHUP, to which kHangup adds the peer's half-close.
inline constexpr Readiness kBroken = 32;

struct Event {
  Token token;
  Readiness ready = 0;
};

class Poller {
 public:
  virtual ~Poller() = default;
  virtual Status add(int fd, Token token, Interest interest) = 0;
  virtual Status modify(int fd, Token token, Interest interest) = 0;
  virtual void remove(int fd, Token token) = 0;
  virtual void rearm(int fd, Token token, Interest interest) = 0;
  // Fills `events`, waits at most timeout_ms (0: looks once; negative: no limit), returns a count.
  virtual Result<size_t> wait(std::span<Event> events, int timeout_ms) = 0;
  // Makes a wait() that is under way on another thread return. Any thread.
  virtual void wake() = 0;
  // A descriptor that is readable while wait() has events, or -1: such a backend needs a thread
  // of its own that waits, and its methods may be called while it does.
  virtual int fd() const = 0;
  // Whether it can see urgent data. Where it cannot, a short read never proves a socket drained.
  virtual bool sees_urgent() const { return true; }
  virtual const char* name() const = 0;
};

Result<std::unique_ptr<Poller>> make_epoll_poller();
Result<std::unique_ptr<Poller>> make_kqueue_poller();
Result<std::unique_ptr<Poller>> make_poll_poller();

struct Backend {
  std::string_view name;
  Result<std::unique_ptr<Poller>> (*make)();
};

// Those of this platform, the best first: a file for each.
std::span<const Backend> backends();
// The backend of that name, or the best for no name. EINVAL for one that is not here.
Result<std::unique_ptr<Poller>> make_poller(std::string_view name);

}  // namespace sock::reactor
