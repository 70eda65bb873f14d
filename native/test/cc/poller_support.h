// What the tests of pollers share.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "backends.h"
#include "base/clock.h"
#include "support.h"

namespace sock::test {

using reactor::Event;
using reactor::Poller;
using reactor::Readiness;
using reactor::Token;

inline constexpr Token kToken{7, 42};
inline constexpr int kLongMs = 10'000;
// Long enough for a wrong event to show up, which are all there at once.
inline constexpr int kShortMs = 15;

// Waits until there are events or the time is over: a wait may come back early with none.
inline std::vector<Event> wait_for_events(Poller& poller, int timeout_ms) {
  std::array<Event, 64> events;
  const double deadline_ms = now_ms() + timeout_ms;
  for (;;) {
    const double left_ms = std::max(0.0, deadline_ms - now_ms());
    const size_t count = take(poller.wait(events, static_cast<int>(left_ms)));
    if (count > 0) return {events.begin(), events.begin() + static_cast<ptrdiff_t>(count)};
    if (now_ms() >= deadline_ms) return {};
  }
}

// The readiness of the only event.
inline Readiness wait_for_one(Poller& poller) {
  const std::vector<Event> events = wait_for_events(poller, kLongMs);
  REQUIRE(events.size() == 1);
  return events[0].ready;
}

inline bool stays_silent(Poller& poller) {
  return wait_for_events(poller, kShortMs).empty();
}

// Whether a wait without events sleeps, if need be after some that end early.
inline bool waits_its_time(Poller& poller) {
  std::array<Event, 4> events;
  for (int i = 0; i < 1000; i++) {
    const double before_ms = now_ms();
    if (take(poller.wait(events, 20)) > 0) return false;
    if (now_ms() - before_ms >= 19.5) return true;
  }
  return false;
}

inline sys::FdPair make_pair() {
  return take(sys::open_pair(SOCK_STREAM));
}

inline void write_byte(int fd) {
  REQUIRE(sys::send(fd, "x", 1) == 1);
}

}  // namespace sock::test
