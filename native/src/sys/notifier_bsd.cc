// A kqueue with an event of our own for notify() and a timer for the deadline.
#include "sys/notifier.h"

#include <fcntl.h>
#include <sys/event.h>
#include <sys/time.h>

#include <cerrno>
#include <cmath>
#include <cstdint>

#include "base/clock.h"
#include "sys/retry.h"

namespace sock::sys {

// The kqueue has all there is.
struct Notifier::Sources {};

namespace {

constexpr uintptr_t kNotified = 1;
constexpr uintptr_t kDeadline = 2;

int change(int queue, uintptr_t id, int16_t filter, uint16_t flags, uint32_t filter_flags,
           intptr_t data) {
  struct kevent event {};
  EV_SET(&event, id, filter, flags, filter_flags, data, nullptr);
  return retry([&] { return ::kevent(queue, &event, 1, nullptr, 0, nullptr); });
}

}  // namespace

Notifier::Notifier(UniqueFd fd, std::unique_ptr<Sources> sources)
    : fd_(std::move(fd)), sources_(std::move(sources)) {}

Notifier::~Notifier() = default;

Result<std::shared_ptr<Notifier>> Notifier::make() {
  UniqueFd queue(::kqueue());
  if (!queue || ::fcntl(queue.get(), F_SETFD, FD_CLOEXEC) < 0 ||
      change(queue.get(), kNotified, EVFILT_USER, EV_ADD, 0, 0) < 0) {
    return Error{errno, Syscall::kPoll};
  }
  return std::shared_ptr<Notifier>(new Notifier(std::move(queue), std::make_unique<Sources>()));
}

void Notifier::notify() {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr || notified_) return;
  notified_ = true;
  change(fd_.get(), kNotified, EVFILT_USER, 0, NOTE_TRIGGER, 0);
}

// An event stays in the queue until it is deleted; it is not taken out, as that might take the
// timer's in its place.
void Notifier::clear() {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr || !notified_) return;
  notified_ = false;
  change(fd_.get(), kNotified, EVFILT_USER, EV_DELETE, 0, 0);
  change(fd_.get(), kNotified, EVFILT_USER, EV_ADD, 0, 0);
}

void Notifier::set_deadline(double at_ms) {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr) return;
  // Where none is set this fails, and changes nothing.
  change(fd_.get(), kDeadline, EVFILT_TIMER, EV_DELETE, 0, 0);
  if (at_ms == kNever) return;
  // In milliseconds, rounded up: it must not come early, and then find nothing due.
  const double left_ms = std::fmax(std::ceil(at_ms - now_ms()), 0);
  change(fd_.get(), kDeadline, EVFILT_TIMER, EV_ADD, 0, static_cast<intptr_t>(left_ms));
}

Status Notifier::watch(int fd, bool for_writing) {
  unwatch(fd);
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr) return Error{EBADF, Syscall::kPoll};
  const int16_t filter = for_writing ? EVFILT_WRITE : EVFILT_READ;
  if (change(fd_.get(), static_cast<uintptr_t>(fd), filter, EV_ADD, 0, 0) < 0) {
    return Error{errno, Syscall::kPoll};
  }
  return Nothing{};
}

void Notifier::unwatch(int fd) {
  const std::lock_guard lock(mutex_);
  if (sources_ == nullptr) return;
  // Where one is not there this fails, and changes nothing.
  for (const int16_t filter : {int16_t{EVFILT_READ}, int16_t{EVFILT_WRITE}}) {
    change(fd_.get(), static_cast<uintptr_t>(fd), filter, EV_DELETE, 0, 0);
  }
}

void Notifier::close() {
  const std::lock_guard lock(mutex_);
  sources_.reset();
  fd_.reset();
}

}  // namespace sock::sys
