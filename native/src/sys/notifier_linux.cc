// An epoll instance with an eventfd for notify() and a timerfd for the deadline. A timerfd alone,
// set to a time that has passed, would do for both; but it becomes readable only with the next
// interrupt of the timer, and a poll that looks at once would miss it.
#include "sys/notifier.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdint>

#include "sys/retry.h"

namespace sock::sys {

struct Notifier::Sources {
  UniqueFd event;
  UniqueFd timer;
};

namespace {

Status control(int epoll, int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  if (::epoll_ctl(epoll, operation, fd, &event) < 0) return Error{errno, Syscall::kEpollCtl};
  return Nothing{};
}

timespec to_timespec(double at_ms) {
  constexpr double kMsPerSecond = 1e3;
  constexpr double kNsPerMs = 1e6;
  // All zeros would switch it off.
  const double ms = std::fmax(at_ms, 1);
  const double seconds = std::floor(ms / kMsPerSecond);
  // Rounded up: it must not come early, and then find nothing due.
  const double rest_ns = std::ceil((ms - seconds * kMsPerSecond) * kNsPerMs);
  timespec time{};
  time.tv_sec = static_cast<time_t>(seconds);
  time.tv_nsec = static_cast<decltype(time.tv_nsec)>(std::fmin(rest_ns, 999'999'999));
  return time;
}

}  // namespace

Notifier::Notifier(UniqueFd fd, std::unique_ptr<Sources> sources)
    : fd_(std::move(fd)), sources_(std::move(sources)) {}

Notifier::~Notifier() = default;

Result<std::shared_ptr<Notifier>> Notifier::make() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Error{errno, Syscall::kEpollCreate};
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return Error{errno, Syscall::kEventFd};
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return Error{errno, Syscall::kTimerFd};
  for (const int fd : {event.get(), timer.get()}) {
    const Status watching = control(epoll.get(), EPOLL_CTL_ADD, fd, EPOLLIN);
    if (!watching.ok()) return watching.error();
  }
  auto sources = std::make_unique<Sources>(Sources{std::move(event), std::move(timer)});
  return std::shared_ptr<Notifier>(new Notifier(std::move(epoll), std::move(sources)));
}

void Notifier::notify() {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr || notified_) return;
  notified_ = true;
  const uint64_t one = 1;
  (void)!retry([&] { return ::write(sources_->event.get(), &one, sizeof(one)); });
}

void Notifier::clear() {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr || !notified_) return;
  notified_ = false;
  uint64_t count = 0;
  (void)!retry([&] { return ::read(sources_->event.get(), &count, sizeof(count)); });
}

void Notifier::set_deadline(double at_ms) {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr) return;
  itimerspec spec{};
  if (at_ms != kNever) spec.it_value = to_timespec(at_ms);
  ::timerfd_settime(sources_->timer.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

Status Notifier::watch(int fd, bool for_writing) {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr) return Error{EBADF, Syscall::kEpollCtl};
  const uint32_t events = for_writing ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
  const Status changed = control(fd_.get(), EPOLL_CTL_MOD, fd, events);
  return changed.ok() ? changed : control(fd_.get(), EPOLL_CTL_ADD, fd, events);
}

void Notifier::unwatch(int fd) {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr) return;
  // It is watched, or it is not.
  (void)control(fd_.get(), EPOLL_CTL_DEL, fd, 0).ok();
}

void Notifier::close() {
  const std::lock_guard lock(mutex_);
  sources_.reset();
  fd_.reset();
}

}  // namespace sock::sys
