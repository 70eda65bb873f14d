#include "binding/waiter.h"

#include <algorithm>
#include <csignal>

namespace sock::binding {

Waiter::Waiter(reactor::Poller& poller, uv_async_t& wakeup) : poller_(poller), wakeup_(wakeup) {
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
  taken_.notify_one();
  poller_.wake();
  thread_.join();
}

size_t Waiter::take(std::span<reactor::Event, kEventsMax> events) {
  size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = count_;
    std::copy_n(batch_.begin(), count, events.begin());
    count_ = 0;
  }
  taken_.notify_one();
  return count;
}

void Waiter::run() {
  std::array<reactor::Event, kEventsMax> found;
  for (;;) {
    Result<size_t> count = poller_.wait(found, -1);
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    if (!count.ok() || count.value() == 0) continue;
    std::copy_n(found.begin(), count.value(), batch_.begin());
    count_ = count.value();
    uv_async_send(&wakeup_);
    taken_.wait(lock, [this] { return count_ == 0 || stopping_; });
    if (stopping_) return;
  }
}

}  // namespace sock::binding
