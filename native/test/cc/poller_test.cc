// What poller.h promises, asked of every backend.
#include "reactor/poller.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <future>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "poller_support.h"
#include "sys/pipe.h"

namespace sock::reactor {

using sys::FdPair;
using sys::UniqueFd;
using test::code_of;
using test::Epoll;
using test::kLongMs;
using test::Kqueue;
using test::kToken;
using test::make_pair;
using test::must;
using test::Poll;
using test::stays_silent;
using test::take;
using test::wait_for_events;
using test::wait_for_one;
using test::waits_its_time;
using test::write_byte;

namespace {

void send_reset(UniqueFd& fd) {
  const linger now{1, 0};
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
  fd.reset();
}

}  // namespace

TEST_CASE_TEMPLATE("a backend knows its name", Backend, Epoll, Kqueue, Poll) {
  CHECK(std::string(Backend::make()->name()) == Backend::kName);
}

TEST_CASE_TEMPLATE("what is ready when added is reported, with the token", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  write_byte(pair.second.get());
  must(poller->add(pair.first.get(), kToken, kRead));
  const std::vector<Event> events = wait_for_events(*poller, kLongMs);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token.index == kToken.index);
  CHECK(events[0].token.generation == kToken.generation);
  CHECK(events[0].ready == kReadable);
}

TEST_CASE_TEMPLATE("what becomes ready later is reported", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead));
  CHECK(stays_silent(*poller));
  write_byte(pair.second.get());
  CHECK(wait_for_one(*poller) == kReadable);
}

TEST_CASE_TEMPLATE("a direction is reported once until it is rearmed", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead | kWrite));
  write_byte(pair.second.get());
  Readiness seen = 0;
  while (seen != (kReadable | kWritable)) seen |= wait_for_one(*poller);
  CHECK(stays_silent(*poller));
  test::drain(pair.first.get());
  poller->rearm(pair.first.get(), kToken, kRead);
  CHECK(stays_silent(*poller));
  write_byte(pair.second.get());
  CHECK((wait_for_one(*poller) & kReadable) != 0);
}

TEST_CASE_TEMPLATE("a change between the last read and rearm is not lost", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead));
  for (int round = 0; round < 3; round++) {
    write_byte(pair.second.get());
    CHECK(wait_for_one(*poller) == kReadable);
    test::drain(pair.first.get());
    write_byte(pair.second.get());
    poller->rearm(pair.first.get(), kToken, kRead);
    CHECK(wait_for_one(*poller) == kReadable);
    test::drain(pair.first.get());
    poller->rearm(pair.first.get(), kToken, kRead);
  }
}

TEST_CASE_TEMPLATE("a level is reported for as long as it holds", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead | kLevel));
  write_byte(pair.second.get());
  for (int i = 0; i < 3; i++) CHECK(wait_for_one(*poller) == kReadable);
  test::drain(pair.first.get());
  CHECK(stays_silent(*poller));
}

TEST_CASE_TEMPLATE("the end of the peer's sending is reported once, data or not", Backend, Epoll,
                   Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair connection = test::connect_tcp();
  constexpr Interest kOnce = kPeerEnd | kLevel | kOneShot;
  must(poller->add(connection.first.get(), kToken, kOnce));
  write_byte(connection.second.get());
  CHECK(stays_silent(*poller));
  must(sys::shutdown_socket(connection.second.get(), SHUT_WR));
  CHECK((wait_for_one(*poller) & kHangup) != 0);
  CHECK(stays_silent(*poller));
}

TEST_CASE_TEMPLATE("room to write is reported when it comes back", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair connection = test::connect_tcp();
  test::fill(connection.first.get());
  must(poller->add(connection.first.get(), kToken, kWrite));
  poller->rearm(connection.first.get(), kToken, kWrite);
  CHECK(stays_silent(*poller));
  // The last bytes under way arrive as the first are read.
  std::vector<Event> events;
  while (events.empty()) {
    test::drain(connection.second.get());
    events = wait_for_events(*poller, 1);
  }
  CHECK(events[0].ready == kWritable);
}

TEST_CASE_TEMPLATE("only the directions asked for are reported", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  write_byte(pair.second.get());
  must(poller->add(pair.first.get(), kToken, kWrite));
  CHECK(wait_for_one(*poller) == kWritable);
  CHECK(stays_silent(*poller));
}

TEST_CASE_TEMPLATE("the end of a peer is a hang-up, and readable", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead));
  pair.second.reset();
  const Readiness ready = wait_for_one(*poller);
  CHECK((ready & kHangup) != 0);
  CHECK((ready & kReadable) != 0);
}

TEST_CASE_TEMPLATE("a peer that only ends its sending is a hang-up too", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  const FdPair connection = test::connect_tcp();
  must(poller->add(connection.first.get(), kToken, kRead));
  write_byte(connection.second.get());
  must(sys::shutdown_socket(connection.second.get(), SHUT_WR));
  Readiness seen = 0;
  while ((seen & kHangup) == 0) {
    seen |= wait_for_one(*poller);
    poller->rearm(connection.first.get(), kToken, kRead);
  }
  CHECK((seen & kReadable) != 0);
  CHECK((seen & (kWritable | kError)) == 0);
}

TEST_CASE_TEMPLATE("a reset is an error in both directions", Backend, Epoll, Kqueue, Poll) {
  for (const Interest interest : {kRead, kWrite}) {
    const auto poller = Backend::make();
    FdPair connection = test::connect_tcp();
    test::fill(connection.first.get());
    must(poller->add(connection.first.get(), kToken, interest));
    CHECK(stays_silent(*poller));
    send_reset(connection.second);
    CHECK((wait_for_one(*poller) & (kError | kHangup | kReadable | kWritable)) ==
          (kError | kHangup | kReadable | kWritable));
  }
}

TEST_CASE_TEMPLATE("a hang-up that was reported does not keep the waiter busy", Backend, Epoll,
                   Kqueue, Poll) {
  const auto poller = Backend::make();
  FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead | kWrite));
  pair.second.reset();
  Readiness seen = 0;
  while ((seen & (kReadable | kWritable)) != (kReadable | kWritable)) {
    seen |= wait_for_one(*poller);
  }
  CHECK(waits_its_time(*poller));
}

TEST_CASE_TEMPLATE("urgent data is reported to edge interest in reading", Backend, Epoll, Poll) {
  const auto poller = Backend::make();
  const FdPair connection = test::connect_tcp();
  must(poller->add(connection.first.get(), kToken, kRead));
  REQUIRE(::send(connection.second.get(), "ab", 2, MSG_OOB) == 2);
  CHECK((wait_for_one(*poller) & (kUrgent | kReadable)) == (kUrgent | kReadable));
}

TEST_CASE_TEMPLATE("a modified registration has the new interest and token", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead));
  CHECK(stays_silent(*poller));
  must(poller->modify(pair.first.get(), Token{8, 43}, kWrite));
  const std::vector<Event> events = wait_for_events(*poller, kLongMs);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token.index == 8);
  CHECK(events[0].token.generation == 43);
  CHECK(events[0].ready == kWritable);
}

TEST_CASE_TEMPLATE("modifying reports again what is ready", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead));
  write_byte(pair.second.get());
  CHECK(wait_for_one(*poller) == kReadable);
  must(poller->modify(pair.first.get(), kToken, kRead));
  CHECK(wait_for_one(*poller) == kReadable);
}

TEST_CASE_TEMPLATE("what was removed is silent, though a duplicate lives on", Backend, Epoll,
                   Kqueue, Poll) {
  const auto poller = Backend::make();
  FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead | kWrite));
  const UniqueFd duplicate(::dup(pair.first.get()));
  poller->remove(pair.first.get(), kToken);
  pair.first.reset();
  write_byte(pair.second.get());
  CHECK(stays_silent(*poller));
}

TEST_CASE_TEMPLATE("a number that is used again is a new registration", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  FdPair old = make_pair();
  must(poller->add(old.first.get(), kToken, kRead));
  write_byte(old.second.get());
  CHECK(wait_for_one(*poller) == kReadable);
  const int number = old.first.get();
  poller->remove(number, kToken);
  old.first.reset();
  FdPair fresh = make_pair();
  const UniqueFd same(::dup2(fresh.first.get(), number));
  REQUIRE(same.get() == number);
  must(poller->add(number, Token{7, 43}, kRead));
  write_byte(fresh.second.get());
  const std::vector<Event> events = wait_for_events(*poller, kLongMs);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token.generation == 43);
  poller->remove(number, Token{7, 43});
}

TEST_CASE_TEMPLATE("a removed descriptor can be added again", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead));
  poller->remove(pair.first.get(), kToken);
  write_byte(pair.second.get());
  must(poller->add(pair.first.get(), kToken, kRead));
  CHECK(wait_for_one(*poller) == kReadable);
}

TEST_CASE_TEMPLATE("wrong calls have their errors", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const FdPair pair = make_pair();
  CHECK(code_of(poller->modify(pair.first.get(), kToken, kRead)) == ENOENT);
  must(poller->add(pair.first.get(), kToken, kRead));
  CHECK(code_of(poller->add(pair.first.get(), kToken, kRead)) == EEXIST);
  poller->remove(pair.second.get(), kToken);  // never added: nothing happens
  poller->rearm(pair.second.get(), kToken, kRead);
  CHECK(stays_silent(*poller));
}

TEST_CASE_TEMPLATE("what cannot be polled is refused", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  const test::TemporaryFolder folder;
  const UniqueFd file(::open(folder.file("file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const UniqueFd directory(::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC));
  FdPair pair = make_pair();
  const int closed = pair.first.get();
  pair.first.reset();
  CHECK(code_of(poller->add(file.get(), kToken, kRead)) == EPERM);
  CHECK(code_of(poller->add(directory.get(), kToken, kRead)) == EPERM);
  CHECK(code_of(poller->add(closed, kToken, kRead)) == EBADF);
  CHECK(code_of(poller->add(-1, kToken, kRead)) == EBADF);
}

TEST_CASE_TEMPLATE("a pipe can be polled", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  FdPair pipe = take(sys::open_pipe());
  must(poller->add(pipe.first.get(), kToken, kRead));
  REQUIRE(::write(pipe.second.get(), "x", 1) == 1);
  CHECK(wait_for_one(*poller) == kReadable);
  pipe.second.reset();
  poller->rearm(pipe.first.get(), kToken, kRead);
  CHECK((wait_for_one(*poller) & kHangup) != 0);
}

TEST_CASE_TEMPLATE("more events than there is room for come in later waits", Backend, Epoll, Kqueue,
                   Poll) {
  constexpr uint32_t kCount = 50;
  const auto poller = Backend::make();
  std::vector<FdPair> pairs;
  for (uint32_t i = 0; i < kCount; i++) {
    pairs.push_back(make_pair());
    must(poller->add(pairs.back().first.get(), Token{i, 1}, kRead));
    write_byte(pairs.back().second.get());
  }
  std::map<uint32_t, int> times;
  std::array<Event, 4> room;
  const double deadline_ms = now_ms() + kLongMs;
  while (times.size() < kCount) {
    REQUIRE(now_ms() < deadline_ms);
    const size_t count = take(poller->wait(room, 0));
    for (size_t i = 0; i < count; i++) times[room[i].token.index]++;
  }
  for (const auto& [index, count] : times) CHECK(count == 1);
  CHECK(stays_silent(*poller));
}

TEST_CASE_TEMPLATE("with little room every level gets its turn", Backend, Epoll, Kqueue, Poll) {
  constexpr uint32_t kCount = 20;
  const auto poller = Backend::make();
  std::vector<FdPair> pairs;
  for (uint32_t i = 0; i < kCount; i++) {
    pairs.push_back(make_pair());
    must(poller->add(pairs.back().first.get(), Token{i, 1}, kRead | kLevel));
    write_byte(pairs.back().second.get());
  }
  std::map<uint32_t, int> times;
  std::array<Event, 3> room;
  for (int i = 0; i < 200; i++) {
    const size_t count = take(poller->wait(room, 0));
    for (size_t j = 0; j < count; j++) times[room[j].token.index]++;
  }
  CHECK(times.size() == kCount);
}

TEST_CASE_TEMPLATE("a wait ends with its time and not before", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  std::array<Event, 4> events;
  double before_ms = now_ms();
  CHECK(take(poller->wait(events, 0)) == 0);
  CHECK(now_ms() - before_ms < 5000);
  before_ms = now_ms();
  CHECK(take(poller->wait(events, 30)) == 0);
  CHECK(now_ms() - before_ms >= 29.5);
}

TEST_CASE_TEMPLATE("a wait without limit ends when another thread wakes it", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  std::thread waker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    poller->wake();
  });
  std::array<Event, 4> events;
  CHECK(take(poller->wait(events, -1)) == 0);
  waker.join();
}

TEST_CASE_TEMPLATE("a wake-up before the wait is kept, and many are one", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  for (int i = 0; i < 100'000; i++) poller->wake();
  std::array<Event, 4> events;
  CHECK(take(poller->wait(events, -1)) == 0);
  CHECK(waits_its_time(*poller));
}

TEST_CASE_TEMPLATE("a signal ends a wait early, and is no error", Backend, Epoll, Kqueue, Poll) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  struct sigaction previous;
  REQUIRE(::sigaction(SIGUSR1, &action, &previous) == 0);
  const auto poller = Backend::make();
  std::atomic<bool> over = false;
  std::thread bell([&over, waiter = ::pthread_self()] {
    while (!over) {
      ::pthread_kill(waiter, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::array<Event, 4> events;
  const Result<size_t> count = poller->wait(events, -1);
  over = true;
  bell.join();
  ::sigaction(SIGUSR1, &previous, nullptr);
  CHECK(count.ok());
}

TEST_CASE_TEMPLATE("registrations change while another thread waits", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  FdPair pair = make_pair();
  const auto wait_elsewhere = [&] {
    return std::async(std::launch::async, [&] { return wait_for_events(*poller, kLongMs); });
  };
  const auto let_it_wait = [] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); };

  auto added = wait_elsewhere();
  let_it_wait();
  write_byte(pair.second.get());
  must(poller->add(pair.first.get(), kToken, kRead));
  CHECK(added.get().size() == 1);

  test::drain(pair.first.get());
  auto rearmed = wait_elsewhere();
  let_it_wait();
  poller->rearm(pair.first.get(), kToken, kRead);
  write_byte(pair.second.get());
  CHECK(rearmed.get().size() == 1);

  test::drain(pair.first.get());
  auto modified = wait_elsewhere();
  let_it_wait();
  must(poller->modify(pair.first.get(), Token{9, 9}, kWrite));
  const std::vector<Event> events = modified.get();
  REQUIRE(events.size() == 1);
  CHECK(events[0].token.index == 9);
  CHECK(events[0].ready == kWritable);

  must(poller->modify(pair.first.get(), kToken, kRead));
  auto removed = std::async(std::launch::async, [&] { return wait_for_events(*poller, 60); });
  let_it_wait();
  poller->remove(pair.first.get(), kToken);
  write_byte(pair.second.get());
  pair.first.reset();
  CHECK(removed.get().empty());
}

TEST_CASE_TEMPLATE("descriptors come and go under a waiting thread", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  std::atomic<bool> over = false;
  std::atomic<size_t> event_count = 0;
  std::atomic<bool> foreign_token = false;
  std::thread waiter([&] {
    std::array<Event, 16> events;
    while (!over) {
      Result<size_t> count = poller->wait(events, 100);
      if (!count.ok()) break;
      event_count += count.value();
      for (size_t i = 0; i < count.value(); i++) {
        if (events[i].token.index >= 300) foreign_token = true;
      }
    }
  });
  size_t last_count = 0;
  for (uint32_t i = 0; i < 300; i++) {
    FdPair pair = make_pair();
    const Token token{i, 1};
    must(poller->add(pair.first.get(), token, kRead));
    write_byte(pair.second.get());
    // Some are waited for; the others are gone before or while they are reported.
    if (i % 3 == 0) {
      const double deadline_ms = now_ms() + kLongMs;
      while (event_count == last_count && now_ms() < deadline_ms) std::this_thread::yield();
      REQUIRE(event_count > last_count);
    }
    last_count = event_count;
    poller->remove(pair.first.get(), token);
  }
  over = true;
  poller->wake();
  waiter.join();
  CHECK_FALSE(foreign_token);
}

TEST_CASE("epoll has a descriptor that is readable while there are events") {
  const auto poller = Epoll::make();
  const FdPair pair = make_pair();
  REQUIRE(poller->fd() >= 0);
  must(poller->add(pair.first.get(), kToken, kRead));
  CHECK(take(sys::wait_for(poller->fd(), POLLIN, 0)) == 0);
  write_byte(pair.second.get());
  CHECK(take(sys::wait_for(poller->fd(), POLLIN, kLongMs)) == POLLIN);
  CHECK(wait_for_one(*poller) == kReadable);
  CHECK(take(sys::wait_for(poller->fd(), POLLIN, 0)) == 0);
  poller->wake();
  CHECK(take(sys::wait_for(poller->fd(), POLLIN, kLongMs)) == POLLIN);
}

TEST_CASE("poll(2) and kqueue have no descriptor that another loop could watch") {
  CHECK(Poll::make()->fd() == -1);
  CHECK(Kqueue::make()->fd() == -1);
}

TEST_CASE("a descriptor that epoll takes with it is closed with it") {
  int number = -1;
  {
    const auto poller = Epoll::make();
    number = poller->fd();
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(::fcntl(number, F_GETFD) == -1);
}

}  // namespace sock::reactor
