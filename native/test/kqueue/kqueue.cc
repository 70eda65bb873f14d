// A stand-in for kqueue(2), over epoll: for tests on Linux only, and never shipped.
//
// Theory of operation. A kqueue is an epoll that watches two others: one has the descriptors of
// read filters, the other those of write filters, so that each filter has edges, one-shots and a
// disabled state of its own, as with a real one. An eventfd in the outer one is the user filter.
// The outer epoll's descriptor is the kqueue's, so it can be closed like any; the rest goes with
// it, since the programs that are linked with this have their close() wrapped (--wrap=close).
//
// What it holds its user to, because kernels do: filters go away with close() of their descriptor,
// even while a duplicate lives on; flags of a filter that is there do not change by EV_ADD; a
// change that fails makes the call fail where the list of events has no room for it.
//
// What it cannot know: the error of a socket, which asking would take away. fflags is ECONNRESET.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"

extern "C" {
int __real_close(int fd);
int __wrap_close(int fd);
}

namespace {

using Change = struct kevent;

bool is_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

// The filters of one direction.
class Direction {
 public:
  explicit Direction(int16_t filter) : filter_(filter) {}
  ~Direction() { __real_close(epoll_); }
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;

  int epoll() const { return epoll_; }

  // 0 or an errno.
  int apply(const Change& change) {
    const auto fd = static_cast<int>(change.ident);
    if (::fcntl(fd, F_GETFD) < 0) return EBADF;
    const auto found = filters_.find(fd);
    if ((change.flags & EV_ADD) != 0) return add(fd, change);
    if (found == filters_.end()) return ENOENT;
    if ((change.flags & EV_DELETE) != 0) return remove(fd);
    if ((change.flags & EV_DISABLE) != 0) return disable(fd, found->second);
    if ((change.flags & EV_ENABLE) != 0) return enable(fd, found->second);
    return 0;
  }

  void forget(int fd) {
    if (filters_.erase(fd) > 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  }

  int collect(Change* events, int room) {
    std::vector<epoll_event> ready(static_cast<size_t>(room));
    const int count = ::epoll_wait(epoll_, ready.data(), room, 0);
    int used = 0;
    for (int i = 0; i < count; i++) {
      const auto found = filters_.find(ready[static_cast<size_t>(i)].data.fd);
      if (found == filters_.end()) continue;
      events[used++] = report(found->first, found->second, ready[static_cast<size_t>(i)].events);
      if ((found->second.change.flags & EV_ONESHOT) != 0) remove(found->first);
    }
    return used;
  }

 private:
  struct Filter {
    Change change;
    bool disabled = false;
  };

  epoll_event wanted(const Change& change) const {
    uint32_t events = filter_ == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
    // A mark that no buffer reaches: an end alone passes it.
    if ((change.fflags & NOTE_LOWAT) != 0) events &= ~uint32_t{EPOLLIN};
    if ((change.flags & EV_CLEAR) != 0) events |= EPOLLET;
    if ((change.flags & (EV_ONESHOT | EV_DISPATCH)) != 0) events |= EPOLLONESHOT;
    epoll_event event{};
    event.events = events;
    event.data.fd = static_cast<int>(change.ident);
    return event;
  }

  int control(int operation, int fd, const Change& change) {
    epoll_event event = wanted(change);
    return ::epoll_ctl(epoll_, operation, fd, &event) < 0 ? errno : 0;
  }

  int add(int fd, const Change& change) {
    Change kept = change;
    const auto found = filters_.find(fd);
    if (found != filters_.end()) {
      kept.flags = found->second.change.flags;
      const int error = found->second.disabled ? ENOENT : control(EPOLL_CTL_MOD, fd, kept);
      if (error == 0) found->second.change = kept;
      if (error != ENOENT) return error;
      // Disabled, or gone with its descriptor without our having heard of it.
      if (!found->second.disabled) kept.flags = change.flags;
    }
    const int error = control(EPOLL_CTL_ADD, fd, kept);
    if (error == 0) filters_[fd] = Filter{kept};
    return error;
  }

  int remove(int fd) {
    const auto found = filters_.find(fd);
    const bool was_disabled = found->second.disabled;
    filters_.erase(found);
    const bool failed = ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) < 0;
    return failed && !was_disabled ? ENOENT : 0;
  }

  // epoll reports hang-ups always, so what is disabled is not in it.
  int disable(int fd, Filter& filter) {
    if (!filter.disabled) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    filter.disabled = true;
    return 0;
  }

  int enable(int fd, Filter& filter) {
    const int error = control(filter.disabled ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, filter.change);
    if (error == 0) filter.disabled = false;
    return error;
  }

  Change report(int fd, const Filter& filter, uint32_t ready) const {
    Change event = filter.change;
    event.flags &= EV_CLEAR | EV_ONESHOT | EV_DISPATCH;
    event.fflags = 0;
    event.data = 0;
    const uint32_t ends =
        filter_ == EVFILT_READ ? EPOLLRDHUP | EPOLLHUP | EPOLLERR : EPOLLHUP | EPOLLERR;
    if ((ready & ends) != 0) event.flags |= EV_EOF;
    if ((ready & EPOLLERR) != 0 && is_socket(fd)) event.fflags = ECONNRESET;
    return event;
  }

  const int16_t filter_;
  const int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::map<int, Filter> filters_;
};

class Kqueue {
 public:
  explicit Kqueue(int outer) : outer_(outer) {
    for (const int inner : {user_, reads_.epoll(), writes_.epoll()}) {
      epoll_event event{};
      event.events = EPOLLIN;
      ::epoll_ctl(outer_, EPOLL_CTL_ADD, inner, &event);
    }
  }
  ~Kqueue() { __real_close(user_); }
  Kqueue(const Kqueue&) = delete;
  Kqueue& operator=(const Kqueue&) = delete;

  int apply(const Change& change) {
    const std::lock_guard lock(mutex_);
    switch (change.filter) {
      case EVFILT_READ:
        return reads_.apply(change);
      case EVFILT_WRITE:
        return writes_.apply(change);
      case EVFILT_USER:
        return apply_to_user(change);
      default:
        return EINVAL;
    }
  }

  void forget(int fd) {
    const std::lock_guard lock(mutex_);
    reads_.forget(fd);
    writes_.forget(fd);
  }

  // What is ready now. The two directions take turns at being first, for the room may be small.
  int collect(Change* events, int room) {
    const std::lock_guard lock(mutex_);
    int used = 0;
    uint64_t count = 0;
    if (::read(user_, &count, sizeof(count)) == sizeof(count)) events[used++] = user_filter_;
    reads_first_ = !reads_first_;
    std::array<Direction*, 2> order{&reads_, &writes_};
    if (!reads_first_) std::swap(order[0], order[1]);
    for (Direction* direction : order) {
      if (used < room) used += direction->collect(events + used, room - used);
    }
    return used;
  }

  // False for a signal.
  bool await(int timeout_ms) {
    epoll_event event;
    return ::epoll_wait(outer_, &event, 1, timeout_ms) >= 0;
  }

 private:
  int apply_to_user(const Change& change) {
    if ((change.flags & EV_ADD) != 0) {
      user_filter_ = change;
      has_user_filter_ = true;
    }
    if (!has_user_filter_) return ENOENT;
    if ((change.fflags & NOTE_TRIGGER) == 0) return 0;
    const uint64_t one = 1;
    return ::write(user_, &one, sizeof(one)) < 0 ? errno : 0;
  }

  std::mutex mutex_;
  const int outer_;
  const int user_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Change user_filter_{};
  bool has_user_filter_ = false;
  bool reads_first_ = false;
  Direction reads_{EVFILT_READ};
  Direction writes_{EVFILT_WRITE};
};

// All that are open. Never destroyed: threads may close descriptors while the process ends.
struct Registry {
  std::mutex mutex;
  std::map<int, std::shared_ptr<Kqueue>> kqueues;

  std::shared_ptr<Kqueue> find(int kq) {
    const std::lock_guard lock(mutex);
    const auto found = kqueues.find(kq);
    return found == kqueues.end() ? nullptr : found->second;
  }
};

Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

double to_ms(const timespec& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

}  // namespace

extern "C" {

int kqueue() {
  const int outer = ::epoll_create1(EPOLL_CLOEXEC);
  if (outer < 0) return -1;
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.kqueues[outer] = std::make_shared<Kqueue>(outer);
  return outer;
}

int kevent(int kq, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const timespec* timeout) {
  const std::shared_ptr<Kqueue> self = registry().find(kq);
  if (self == nullptr) {
    errno = EBADF;
    return -1;
  }
  int used = 0;
  for (int i = 0; i < change_count; i++) {
    Change change = changes[i];
    const bool wants_receipt = (change.flags & EV_RECEIPT) != 0;
    change.flags &= static_cast<uint16_t>(~EV_RECEIPT);
    const int error = self->apply(change);
    if (error == 0 && !wants_receipt) continue;
    if (used == event_count) {
      errno = error;
      return -1;
    }
    change.flags = EV_ERROR;
    change.data = error;
    events[used++] = change;
  }
  if (used > 0 || event_count == 0) return used;

  const double end_ms = timeout == nullptr ? 0 : sock::now_ms() + to_ms(*timeout);
  for (;;) {
    used = self->collect(events, event_count);
    const double left_ms = timeout == nullptr ? -1 : std::max(0.0, end_ms - sock::now_ms());
    if (used > 0 || left_ms == 0) return used;
    // Rounded up: not before its time.
    if (!self->await(timeout == nullptr ? -1 : static_cast<int>(left_ms) + 1)) return -1;
  }
}

// The filters of a descriptor go with it, and what a kqueue consists of goes with the kqueue.
int __wrap_close(int fd) {
  Registry& all = registry();
  std::shared_ptr<Kqueue> closed;
  {
    const std::lock_guard lock(all.mutex);
    const auto found = all.kqueues.find(fd);
    if (found != all.kqueues.end()) {
      closed = std::move(found->second);
      all.kqueues.erase(found);
    }
    for (const auto& [number, kqueue] : all.kqueues) kqueue->forget(fd);
  }
  return __real_close(fd);
}

}  // extern "C"
