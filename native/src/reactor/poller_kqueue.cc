// kqueue(2), on macOS and the BSDs.
//
// Theory of operation. The kernel knows filters, not descriptors: reading and writing are watched,
// and reported, apart. So the two reports of one wait are merged here, and a one-shot disables the
// other filter when one has fired. EV_CLEAR makes edges, EV_DISPATCH one-shots, neither a level.
// Flags of a filter that is there already do not change, so modify() deletes and adds, which also
// reports again what is ready.
//
// The kernel forgets the filters of a descriptor when that is closed, and leaves its number to the
// next. The table says who is registered; udata holds the generation, which tells a stale event.
//
// A filter reports the end of its own direction (EV_EOF). Whether both have come to an end is asked
// of poll(2), which costs a call only then. Nobody but XNU tells of urgent data, and that in a way
// of its own, so it is not seen here at all.
//
// fd() is -1, though a kqueue has a descriptor: nested in another one it is readable at once on
// macOS (libuv's documentation of uv_backend_fd), so a thread waits, and a mutex guards the table.
//
// See kqueue(2) of FreeBSD and of macOS. Here it has been run over a stand-in for kqueue only, and
// compiled against Apple's headers: it has never met the kernel of a BSD.
#include <fcntl.h>
#include <poll.h>
#include <sys/event.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <climits>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "reactor/poller.h"
#include "sys/pollable.h"
#include "sys/unique_fd.h"

namespace sock::reactor {

namespace {

constexpr Readiness kAllOver = kHangup | kReadable | kWritable;

struct Entry {
  Token token;
  Interest interest = 0;
  bool spent = false;  // a one-shot that was reported
  uint64_t batch = 0;  // the last wait that had an event for it,
  size_t place = 0;    // and where among its events
};

uint16_t to_flags(Interest interest) {
  if ((interest & kOneShot) != 0) return EV_DISPATCH;
  return (interest & kLevel) != 0 ? 0 : EV_CLEAR;
}

// Whether the read filter is there for ends alone.
bool wants_ends_only(Interest interest) {
  if ((interest & kRead) != 0) return false;
  return (interest & kWrite) == 0 || (interest & kPeerEnd) != 0;
}

void* to_udata(Token token) {
  // The kernel's own type for what it hands back; nobody follows it.
  return reinterpret_cast<void*>(static_cast<uintptr_t>(token.generation));  // NOLINT
}

struct kevent make_change(int fd, int16_t filter, uint16_t flags, Token token) {
  struct kevent change {};
  change.ident = static_cast<uintptr_t>(fd);
  change.filter = filter;
  change.flags = static_cast<uint16_t>(flags | EV_RECEIPT);
  change.udata = to_udata(token);
  return change;
}

// Up to two filters, and as many that they replace.
struct Changes {
  std::array<struct kevent, 4> list{};
  size_t count = 0;

  void add(const struct kevent& change) { list[count++] = change; }
  std::span<struct kevent> all() { return std::span(list).first(count); }

  void add_filters(int fd, Token token, Interest interest) {
    const auto flags = static_cast<uint16_t>(EV_ADD | to_flags(interest));
    if ((interest & kRead) != 0) add(make_change(fd, EVFILT_READ, flags, token));
    if ((interest & kWrite) != 0) add(make_change(fd, EVFILT_WRITE, flags, token));
    if (!wants_ends_only(interest)) return;
    // A mark that no buffer reaches, but which an end passes. Some kinds of descriptors ignore it,
    // so as edges, or what is not wanted would be reported on and on.
    struct kevent ends = make_change(fd, EVFILT_READ, EV_ADD | EV_CLEAR, token);
    ends.fflags = NOTE_LOWAT;
    ends.data = INT_MAX;
    add(ends);
  }

  void delete_filters(int fd, Token token, Interest interest) {
    const bool reads = (interest & kRead) != 0 || wants_ends_only(interest);
    if (reads) add(make_change(fd, EVFILT_READ, EV_DELETE, token));
    if ((interest & kWrite) != 0) add(make_change(fd, EVFILT_WRITE, EV_DELETE, token));
  }
};

bool is_over(int fd) {
  pollfd entry{fd, POLLIN | POLLOUT, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0;
}

bool is_socket(int fd) {
  struct stat about;
  return ::fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

Readiness to_readiness(const struct kevent& event, Interest interest) {
  Readiness ready = 0;
  if ((event.flags & EV_EOF) != 0) {
    const auto fd = static_cast<int>(event.ident);
    const bool reads = event.filter == EVFILT_READ;
    if (reads) ready |= kHangup;
    // A socket whose own sending was shut down can write no more, and is well; a pipe is broken.
    if (event.fflags != 0 || (!reads && !is_socket(fd))) ready |= kError | kAllOver;
    if (is_over(fd)) ready |= kBroken | kAllOver;
  }
  if (event.filter == EVFILT_READ && wants_ends_only(interest)) {
    const Readiness ends = kError | kBroken | ((interest & kPeerEnd) != 0 ? kHangup : 0);
    return (ready & ends) != 0 ? ready : Readiness{0};
  }
  return ready | (event.filter == EVFILT_READ ? kReadable : kWritable);
}

class KqueuePoller final : public Poller {
 public:
  explicit KqueuePoller(sys::UniqueFd kqueue) : kqueue_(std::move(kqueue)) {}

  Status start() {
    Changes changes;
    changes.add(make_change(0, EVFILT_USER, EV_ADD | EV_CLEAR, Token{}));
    return apply(changes);
  }

  Status add(int fd, Token token, Interest interest) override {
    const Status pollable = sys::check_pollable(fd);
    if (!pollable.ok()) return pollable;
    const std::lock_guard lock(mutex_);
    if (entries_.contains(fd)) return Error{EEXIST, Syscall::kKevent};
    Changes changes;
    changes.add_filters(fd, token, interest);
    const Status added = apply(changes);
    if (added.ok())
      entries_.emplace(fd, Entry{token, interest});
    else
      drop_filters(fd, token, interest);
    return added;
  }

  Status modify(int fd, Token token, Interest interest) override {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(fd);
    if (found == entries_.end()) return Error{ENOENT, Syscall::kKevent};
    if (!drop_filters(fd, found->second.token, found->second.interest)) {
      // It was closed, and the number may be a stranger's by now.
      entries_.erase(found);
      return Error{ENOENT, Syscall::kKevent};
    }
    found->second = Entry{token, interest};
    Changes changes;
    changes.add_filters(fd, token, interest);
    return apply(changes);
  }

  void remove(int fd, Token) override {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(fd);
    if (found == entries_.end()) return;
    drop_filters(fd, found->second.token, found->second.interest);
    entries_.erase(found);
  }

  void rearm(int, Token, Interest) override {}

  Result<size_t> wait(std::span<Event> events, int timeout_ms) override {
    if (raw_.size() < events.size()) raw_.resize(events.size());
    const timespec limit{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
    const int count = ::kevent(kqueue_.get(), nullptr, 0, raw_.data(),
                               static_cast<int>(events.size()), timeout_ms < 0 ? nullptr : &limit);
    if (count < 0) {
      if (errno == EINTR) return size_t{0};
      return Error{errno, Syscall::kKevent};
    }
    return collect(events, static_cast<size_t>(count));
  }

  void wake() override {
    Changes changes;
    struct kevent trigger = make_change(0, EVFILT_USER, 0, Token{});
    trigger.fflags = NOTE_TRIGGER;
    changes.add(trigger);
    // Nothing that could be done about a failure, and none is known.
    (void)apply(changes).ok();
  }

  int fd() const override { return -1; }
  bool sees_urgent() const override { return false; }
  const char* name() const override { return "kqueue"; }

 private:
  // All changes by one call, which takes no event along; the first error, if any.
  Status apply(Changes& changes) {
    const std::span<struct kevent> all = changes.all();
    const auto count = static_cast<int>(all.size());
    const timespec at_once{};
    // One array may be both lists (kqueue(2)): each change becomes its own receipt.
    if (::kevent(kqueue_.get(), all.data(), count, all.data(), count, &at_once) < 0) {
      return Error{errno, Syscall::kKevent};
    }
    for (const struct kevent& receipt : all) {
      if (receipt.data != 0) return Error{static_cast<int>(receipt.data), Syscall::kKevent};
    }
    return Nothing{};
  }

  // False when one was not there: the descriptor was closed.
  bool drop_filters(int fd, Token token, Interest interest) {
    Changes changes;
    changes.delete_filters(fd, token, interest);
    return apply(changes).ok();
  }

  size_t collect(std::span<Event> events, size_t raw_count) {
    const std::lock_guard lock(mutex_);
    batch_++;
    size_t used = 0;
    for (const struct kevent& raw : std::span(raw_).first(raw_count)) {
      if (raw.filter == EVFILT_USER) continue;
      const auto found = entries_.find(static_cast<int>(raw.ident));
      if (found == entries_.end()) continue;
      Entry& entry = found->second;
      // The table may have changed since the kernel answered.
      if (raw.udata != to_udata(entry.token)) continue;
      const Readiness ready = to_readiness(raw, entry.interest);
      if (entry.batch == batch_) {
        events[entry.place].ready |= ready;
      } else if (ready != 0 && !entry.spent) {
        entry.batch = batch_;
        entry.place = used;
        events[used++] = Event{entry.token, ready};
        note_reported(found->first, entry);
      }
    }
    return used;
  }

  void note_reported(int fd, Entry& entry) {
    const Interest directions = entry.interest & (kRead | kWrite);
    Changes changes;
    if ((entry.interest & kOneShot) != 0) {
      entry.spent = true;
      if (directions != (kRead | kWrite)) return;
      changes.add(make_change(fd, EVFILT_READ, EV_DISABLE, entry.token));
      changes.add(make_change(fd, EVFILT_WRITE, EV_DISABLE, entry.token));
    } else if (directions == 0 && (entry.interest & kLevel) != 0) {
      // A level of ends is made of edges: added anew, it is reported again.
      changes.delete_filters(fd, entry.token, entry.interest);
      changes.add_filters(fd, entry.token, entry.interest);
    } else {
      return;
    }
    // Fails for what was closed, of which nothing will be reported either.
    (void)apply(changes).ok();
  }

  sys::UniqueFd kqueue_;
  std::mutex mutex_;
  std::unordered_map<int, Entry> entries_;
  std::vector<struct kevent> raw_;  // the waiter's own; as large as the largest batch
  uint64_t batch_ = 0;
};

}  // namespace

Result<std::unique_ptr<Poller>> make_kqueue_poller() {
  sys::UniqueFd kqueue(::kqueue());
  if (!kqueue) return Error{errno, Syscall::kKqueue};
  // A fork does not inherit it, but an exec without one keeps it.
  if (::fcntl(kqueue.get(), F_SETFD, FD_CLOEXEC) < 0) return Error{errno, Syscall::kFcntl};
  auto made = std::make_unique<KqueuePoller>(std::move(kqueue));
  const Status started = made->start();
  if (!started.ok()) return started.error();
  std::unique_ptr<Poller> poller = std::move(made);
  return poller;
}

}  // namespace sock::reactor
