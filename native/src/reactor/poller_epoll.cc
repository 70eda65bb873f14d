// epoll(7), edge-triggered unless level is asked for.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <vector>

#include "reactor/poller.h"
#include "sys/unique_fd.h"

namespace sock::reactor {

namespace {

// No socket has this index: slot tables stop far below it.
constexpr uint32_t kWakeIndex = UINT32_MAX;

uint32_t to_epoll(Interest interest) {
  uint32_t events = 0;
  if ((interest & kRead) != 0) events |= EPOLLIN;
  if ((interest & kWrite) != 0) events |= EPOLLOUT;
  if ((interest & kLevel) == 0) events |= EPOLLET;
  if ((interest & kOneShot) != 0) events |= EPOLLONESHOT;
  if ((interest & (kRead | kLevel)) == kRead) events |= EPOLLPRI | EPOLLRDHUP;
  if ((interest & kPeerEnd) != 0) events |= EPOLLRDHUP;
  return events;
}

Readiness from_epoll(uint32_t events) {
  Readiness ready = 0;
  if ((events & EPOLLIN) != 0) ready |= kReadable;
  if ((events & EPOLLOUT) != 0) ready |= kWritable;
  if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) ready |= kHangup | kReadable;
  if ((events & EPOLLHUP) != 0) ready |= kWritable | kBroken;
  if ((events & EPOLLPRI) != 0) ready |= kUrgent | kReadable;
  if ((events & EPOLLERR) != 0) ready |= kError | kReadable | kWritable;
  return ready;
}

class EpollPoller final : public Poller {
 public:
  EpollPoller(sys::UniqueFd epoll, sys::UniqueFd wakeup)
      : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)) {}

  Status add(int fd, Token token, Interest interest) override {
    return control(EPOLL_CTL_ADD, fd, token, to_epoll(interest));
  }

  Status modify(int fd, Token token, Interest interest) override {
    return control(EPOLL_CTL_MOD, fd, token, to_epoll(interest));
  }

  void remove(int fd, Token token) override {
    // Nothing to do about a failure: the descriptor is registered, or it is not.
    (void)control(EPOLL_CTL_DEL, fd, token, 0).ok();
  }

  void rearm(int, Token, Interest) override {}

  Result<size_t> wait(std::span<Event> events, int timeout_ms) override {
    if (raw_.size() < events.size()) raw_.resize(events.size());
    const int room = static_cast<int>(events.size());
    const int count = ::epoll_wait(epoll_.get(), raw_.data(), room, timeout_ms);
    if (count < 0) {
      if (errno == EINTR) return size_t{0};
      return Error{errno, Syscall::kPoll};
    }
    size_t used = 0;
    for (int i = 0; i < count; i++) {
      const epoll_event& event = raw_[static_cast<size_t>(i)];
      const Token token{static_cast<uint32_t>(event.data.u64),
                        static_cast<uint32_t>(event.data.u64 >> 32)};
      if (token.index == kWakeIndex) {
        drain_wakeup();
        continue;
      }
      events[used++] = Event{token, from_epoll(event.events)};
    }
    return used;
  }

  void wake() override {
    const uint64_t one = 1;
    // A full counter means that a wake-up is already pending.
    (void)!::write(wakeup_.get(), &one, sizeof(one));
  }

  int fd() const override { return epoll_.get(); }
  const char* name() const override { return "epoll"; }

 private:
  Status control(int operation, int fd, Token token, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = static_cast<uint64_t>(token.generation) << 32 | token.index;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) < 0) {
      return Error{errno, Syscall::kEpollCtl};
    }
    return Nothing{};
  }

  void drain_wakeup() {
    uint64_t count = 0;
    (void)!::read(wakeup_.get(), &count, sizeof(count));
  }

  sys::UniqueFd epoll_;
  sys::UniqueFd wakeup_;
  std::vector<epoll_event> raw_;  // the waiter's own; as large as the largest batch
};

}  // namespace

Result<std::unique_ptr<Poller>> make_epoll_poller() {
  sys::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Error{errno, Syscall::kEpollCreate};
  sys::UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup) return Error{errno, Syscall::kEventFd};
  const int wakeup_fd = wakeup.get();
  std::unique_ptr<Poller> poller =
      std::make_unique<EpollPoller>(std::move(epoll), std::move(wakeup));
  const Status added = poller->add(wakeup_fd, Token{kWakeIndex, 0}, kRead | kLevel);
  if (!added.ok()) return added.error();
  return poller;
}

}  // namespace sock::reactor
