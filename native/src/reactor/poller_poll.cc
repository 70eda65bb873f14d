// poll(2), everywhere POSIX is.
//
// Theory of operation. poll(2) has no kernel object that remembers interest, so the table lives
// here, and there is no descriptor to nest in another loop, so a thread sits in wait() while the
// owner's thread changes the table. A mutex guards the table; the waiter polls a copy of it, and a
// change made meanwhile writes to a pipe that is part of every copy, so that the wait starts over
// with the new table. Edges are made by disarming: a direction that was reported leaves the
// armed set until rearm(). Hang-ups cannot be masked in poll(2), so an entry with nothing armed
// is left out of the copy, or a broken connection would be reported for ever.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "reactor/poller.h"
#include "sys/pipe.h"
#include "sys/pollable.h"
#include "sys/retry.h"
#include "sys/unique_fd.h"

namespace sock::reactor {

namespace {

struct Entry {
  Token token;
  Interest interest = 0;
  Interest armed = 0;  // what is left of it; 0: out of the copy until modify() or rearm()
};

// POLLRDHUP is Linux's own; elsewhere the end of the stream shows as plain readability.
#ifdef POLLRDHUP
constexpr short kPeerClosed = POLLRDHUP;
#else
constexpr short kPeerClosed = 0;
#endif

short to_poll(const Entry& entry) {
  short events = 0;
  if ((entry.armed & kRead) != 0) events |= POLLIN;
  if ((entry.armed & kWrite) != 0) events |= POLLOUT;
  if ((entry.armed & (kRead | kLevel)) == kRead) events |= POLLPRI | kPeerClosed;
  if ((entry.interest & kPeerEnd) != 0) events |= kPeerClosed;
  return events;
}

Readiness from_poll(short events) {
  Readiness ready = 0;
  if ((events & POLLIN) != 0) ready |= kReadable;
  if ((events & POLLOUT) != 0) ready |= kWritable;
  if ((events & (POLLHUP | kPeerClosed)) != 0) ready |= kHangup | kReadable;
  if ((events & POLLHUP) != 0) ready |= kWritable | kBroken;
  if ((events & POLLPRI) != 0) ready |= kUrgent | kReadable;
  if ((events & POLLERR) != 0) ready |= kError | kReadable | kWritable;
  return ready;
}

class PollPoller final : public Poller {
 public:
  PollPoller(sys::UniqueFd wake_source, sys::UniqueFd wake_sink)
      : wake_source_(std::move(wake_source)), wake_sink_(std::move(wake_sink)) {}

  Status add(int fd, Token token, Interest interest) override {
    const Status pollable = sys::check_pollable(fd);
    if (!pollable.ok()) return pollable;
    {
      const std::lock_guard lock(mutex_);
      if (!entries_.emplace(fd, make_entry(token, interest)).second) {
        return Error{EEXIST, Syscall::kPoll};
      }
    }
    wake();
    return Nothing{};
  }

  Status modify(int fd, Token token, Interest interest) override {
    {
      const std::lock_guard lock(mutex_);
      const auto found = entries_.find(fd);
      if (found == entries_.end()) return Error{ENOENT, Syscall::kPoll};
      found->second = make_entry(token, interest);
    }
    wake();
    return Nothing{};
  }

  void remove(int fd, Token) override {
    {
      const std::lock_guard lock(mutex_);
      entries_.erase(fd);
    }
    // The waiter may be polling the descriptor, which is about to be closed and its number reused.
    wake();
  }

  void rearm(int fd, Token, Interest interest) override {
    {
      const std::lock_guard lock(mutex_);
      const auto found = entries_.find(fd);
      if (found == entries_.end()) return;
      const Interest wanted = interest & found->second.interest & (kRead | kWrite);
      if ((found->second.armed & wanted) == wanted) return;
      found->second.armed |= wanted;
    }
    wake();
  }

  Result<size_t> wait(std::span<Event> events, int timeout_ms) override {
    snapshot();
    const int count = ::poll(polled_.data(), static_cast<nfds_t>(polled_.size()), timeout_ms);
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) return size_t{0};
      return Error{errno, Syscall::kPoll};
    }
    if (polled_.front().revents != 0) drain_wakeups();
    return count == 0 ? size_t{0} : collect(events);
  }

  void wake() override {
    // A full pipe means that a wake-up is already pending.
    const char byte = 0;
    (void)!::write(wake_sink_.get(), &byte, 1);
  }

  int fd() const override { return -1; }
  const char* name() const override { return "poll"; }

 private:
  static Entry make_entry(Token token, Interest interest) {
    return Entry{token, interest, static_cast<Interest>(interest & (kRead | kWrite | kLevel))};
  }

  static bool same(Token one, Token other) {
    return one.index == other.index && one.generation == other.generation;
  }

  void snapshot() {
    const std::lock_guard lock(mutex_);
    polled_.clear();
    tokens_.clear();
    polled_.push_back(pollfd{wake_source_.get(), POLLIN, 0});
    for (const auto& [fd, entry] : entries_) {
      if (entry.armed == 0) continue;
      polled_.push_back(pollfd{fd, to_poll(entry), 0});
      tokens_.push_back(entry.token);
    }
  }

  // The table may have changed since the copy was made: what is no longer there, somebody else's
  // by now, or no longer armed, is not reported. Entries beyond the room stay armed and come with
  // the next wait.
  size_t collect(std::span<Event> events) {
    const std::lock_guard lock(mutex_);
    size_t used = 0;
    // Starts where the last one stopped, so that early descriptors cannot starve later ones.
    const size_t count = polled_.size() - 1;
    for (size_t step = 0; step < count && used < events.size(); step++) {
      const size_t index = (first_ + step) % count;
      const pollfd& polled = polled_[1 + index];
      if (polled.revents == 0) continue;
      const auto found = entries_.find(polled.fd);
      if (found == entries_.end()) continue;
      Entry& entry = found->second;
      if (entry.armed == 0 || !same(entry.token, tokens_[index])) continue;
      if ((polled.revents & POLLNVAL) != 0) {
        // Closed without remove(). epoll would have forgotten it; here it must not be polled on.
        entry.armed = 0;
        continue;
      }
      const Readiness ready = from_poll(polled.revents);
      // Another interest by now: a one-shot must not be spent on what is not asked for.
      constexpr Readiness kAlways = kHangup | kError | kUrgent | kBroken;
      if ((ready & (entry.interest | kAlways)) == 0) continue;
      events[used++] = Event{entry.token, ready};
      if ((entry.interest & kLevel) == 0) entry.armed &= static_cast<Interest>(~ready);
      if ((entry.interest & kOneShot) != 0) entry.armed = 0;
      if (used == events.size()) first_ = (first_ + step + 1) % count;
    }
    return used;
  }

  void drain_wakeups() {
    char bytes[256];
    while (sys::retry([&] { return ::read(wake_source_.get(), bytes, sizeof(bytes)); }) ==
           static_cast<ssize_t>(sizeof(bytes))) {
    }
  }

  sys::UniqueFd wake_source_;
  sys::UniqueFd wake_sink_;
  std::mutex mutex_;
  std::unordered_map<int, Entry> entries_;
  std::vector<pollfd> polled_;  // the waiter's own
  std::vector<Token> tokens_;   // of polled_, without its first; the waiter's own
  size_t first_ = 0;            // the waiter's own
};

}  // namespace

Result<std::unique_ptr<Poller>> make_poll_poller() {
  Result<sys::FdPair> pipe = sys::open_pipe();
  if (!pipe.ok()) return pipe.error();
  sys::FdPair ends = pipe.take();
  std::unique_ptr<Poller> poller =
      std::make_unique<PollPoller>(std::move(ends.first), std::move(ends.second));
  return poller;
}

}  // namespace sock::reactor
