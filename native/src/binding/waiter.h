// A thread that waits for a poller which has no descriptor to nest in libuv's loop (poll(2), and
// kqueue on macOS), and wakes the loop when there are events.
#pragma once

#include <uv.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>

#include "reactor/poller.h"

namespace sock::binding {

class Waiter {
 public:
  // How many events a batch can have; whoever takes one has room for all of it.
  static constexpr size_t kEventsMax = 32;

  Waiter(reactor::Poller& poller, uv_async_t& wakeup);
  // Joins the thread.
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // What the thread has found, or nothing. The next batch is waited for from now on.
  size_t take(std::span<reactor::Event, kEventsMax> events);

 private:
  void run();

  reactor::Poller& poller_;
  uv_async_t& wakeup_;
  std::mutex mutex_;
  std::condition_variable taken_;
  std::array<reactor::Event, kEventsMax> batch_{};
  size_t count_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // declared last: it uses everything above
};

}  // namespace sock::binding
