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

  // Waits at once, for batches of at most so many events.
  Waiter(reactor::Poller& poller, uv_async_t& wakeup, size_t events_max = kEventsMax);
  // Joins the thread.
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // What the thread has found, or nothing. The next batch is waited for from now on, unless paused.
  size_t take(std::span<reactor::Event> events);
  // The thread leaves the poller, which is its caller's alone when this returns. A batch that was
  // found meanwhile is there to be taken.
  void pause();
  void resume();

 private:
  void run();
  // Blocks until there is something to wait for; false when it is all over.
  bool await_work();

  reactor::Poller& poller_;
  uv_async_t& wakeup_;
  const size_t events_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<reactor::Event, kEventsMax> batch_{};
  size_t count_ = 0;
  bool paused_ = false;
  bool polling_ = false;  // the thread is in the poller
  bool stopping_ = false;
  std::thread thread_;  // declared last: it uses everything above
};

}  // namespace sock::binding
