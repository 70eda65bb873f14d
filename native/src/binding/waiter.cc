#include "binding/waiter.h"

#include <algorithm>
#include <csignal>

namespace sock::binding {

Waiter::Waiter(reactor::Poller& poller, uv_async_t& wakeup, size_t events_max)
    : poller_(poller), wakeup_(wakeup), events_max_(std::min(events_max, kEventsMax)) {
  // Signals belong to Node's own threads: the new one inherits a full mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Waiter::~Waiter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  poller_.wake();
  thread_.join();
}

size_t Waiter::take(std::span<reactor::Event> events) {
  size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = count_;
    std::copy_n(batch_.begin(), count, events.begin());
    count_ = 0;
  }
  changed_.notify_all();
  return count;
}

void Waiter::pause() {
  std::unique_lock lock(mutex_);
  paused_ = true;
  if (!polling_) return;
  poller_.wake();
  changed_.wait(lock, [this] { return !polling_; });
}

void Waiter::resume() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = false;
  }
  changed_.notify_all();
}

bool Waiter::await_work() {
  std::unique_lock lock(mutex_);
  if (polling_) {
    polling_ = false;
    if (paused_) changed_.notify_all();
  }
  changed_.wait(lock, [this] { return stopping_ || (count_ == 0 && !paused_); });
  polling_ = !stopping_;
  return polling_;
}

void Waiter::run() {
  std::array<reactor::Event, kEventsMax> found;
  while (await_work()) {
    Result<size_t> count = poller_.wait(std::span(found).first(events_max_), -1);
    if (!count.ok() || count.value() == 0) continue;
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    std::copy_n(found.begin(), count.value(), batch_.begin());
    count_ = count.value();
    uv_async_send(&wakeup_);
  }
}

}  // namespace sock::binding
