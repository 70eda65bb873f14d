// The readiness backends, for tests that each of them must pass.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "reactor/reactor.h"
#include "support.h"

namespace sock::test {

struct Epoll {
  static constexpr const char* kName = "epoll";
  static std::unique_ptr<reactor::Poller> make() { return take(reactor::make_epoll_poller()); }
};

// Over the stand-in of test/kqueue/ on Linux.
struct Kqueue {
  static constexpr const char* kName = "kqueue";
  static std::unique_ptr<reactor::Poller> make() { return take(reactor::make_kqueue_poller()); }
};

struct Poll {
  static constexpr const char* kName = "poll";
  static std::unique_ptr<reactor::Poller> make() { return take(reactor::make_poll_poller()); }
};

// A reactor with one page of slots. Sources that are left are closed at the end.
template <class Backend>
struct Loop {
  Loop() { reactor.slots().add_page(words.data()); }
  ~Loop() {
    reactor.slots().for_each([this](reactor::Source& source) { reactor.close(source); });
  }

  reactor::Source& adopt(sys::UniqueFd fd, reactor::Kind kind) {
    return reactor.slots().take(std::move(fd), kind);
  }

  // One look at the poller: notes what there is, and returns how many events that was.
  size_t turn(int timeout_ms = 0) {
    std::array<reactor::Event, 64> events;
    const size_t count = take(reactor.poller().wait(events, timeout_ms));
    for (size_t i = 0; i < count; i++) (void)reactor.note(events[i]);
    return count;
  }

  // Turns until the source has the flag.
  void turn_until(reactor::Source& source, uint32_t flag) {
    const double deadline_ms = now_ms() + 10'000;
    while (!source.has(flag)) {
      REQUIRE(now_ms() < deadline_ms);
      turn(100);
    }
  }

  // Whether there are no events for a while. Those that a backend makes only of a change of its
  // table are not events.
  bool stays_silent() {
    const double deadline_ms = now_ms() + 15;
    do {
      if (turn(5) > 0) return false;
    } while (now_ms() < deadline_ms);
    return true;
  }

  std::array<reactor::SharedWords, reactor::Slots::kPageSize> words{};
  reactor::Reactor reactor{Backend::make()};
};

}  // namespace sock::test
