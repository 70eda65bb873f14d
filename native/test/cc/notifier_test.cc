#include "sys/notifier.h"

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "support.h"

namespace sock::sys {

namespace {

// How long, at most, a poll is waited for that is to find something.
constexpr int kLongMs = 10'000;

bool readable(const Notifier& notifier, int timeout_ms = 0) {
  pollfd entry{.fd = notifier.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLIN) != 0;
}

std::shared_ptr<Notifier> open_notifier() {
  return test::take(Notifier::make());
}

}  // namespace

TEST_CASE("a notifier is readable from being notified until it is cleared, however often") {
  const auto notifier = open_notifier();
  CHECK_FALSE(readable(*notifier));
  notifier->clear();
  for (int i = 0; i < 3; i++) {
    notifier->notify();
    notifier->notify();
    CHECK(readable(*notifier));
    CHECK(readable(*notifier));
    notifier->clear();
    CHECK_FALSE(readable(*notifier));
  }
}

TEST_CASE("a notifier is readable from its deadline on, not before, and until it is moved") {
  const auto notifier = open_notifier();
  const double at_ms = now_ms() + 30;
  notifier->set_deadline(at_ms);
  CHECK(readable(*notifier, kLongMs));
  CHECK(now_ms() >= at_ms);
  notifier->clear();
  CHECK(readable(*notifier));
  notifier->set_deadline(now_ms() + 1e6);
  CHECK_FALSE(readable(*notifier));
  notifier->set_deadline(0);
  CHECK(readable(*notifier, kLongMs));
  notifier->set_deadline(Notifier::kNever);
  CHECK_FALSE(readable(*notifier));
}

TEST_CASE("a notifier that is cleared keeps its deadline, and the other way round") {
  const auto notifier = open_notifier();
  notifier->set_deadline(now_ms() + 20);
  notifier->notify();
  notifier->clear();
  CHECK(readable(*notifier, kLongMs));
  notifier->notify();
  notifier->set_deadline(Notifier::kNever);
  CHECK(readable(*notifier));
}

TEST_CASE("a notifier is readable while a descriptor that it watches is") {
  const auto notifier = open_notifier();
  const FdPair connection = test::connect_tcp();
  test::must(notifier->watch(connection.first.get(), false));
  CHECK_FALSE(readable(*notifier));
  REQUIRE(send(connection.second.get(), "x", 1) == 1);
  CHECK(readable(*notifier, kLongMs));
  notifier->clear();
  CHECK(readable(*notifier));
  test::drain(connection.first.get());
  CHECK_FALSE(readable(*notifier));
  test::must(notifier->watch(connection.first.get(), true));
  CHECK(readable(*notifier));
  notifier->unwatch(connection.first.get());
  notifier->unwatch(connection.first.get());
  CHECK_FALSE(readable(*notifier));
}

TEST_CASE("a notifier that is closed has no descriptor, and all calls do nothing") {
  const auto notifier = open_notifier();
  notifier->close();
  notifier->close();
  notifier->notify();
  notifier->clear();
  notifier->set_deadline(1);
  notifier->unwatch(0);
  CHECK(test::code_of(notifier->watch(0, false)) == EBADF);
  CHECK(notifier->fd() == -1);
}

TEST_CASE("no notice of another thread is lost, and closing is safe meanwhile") {
  const auto notifier = open_notifier();
  constexpr int kNotices = 2'000;
  std::atomic<int> given = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) {
    threads.emplace_back([&given, notifier] {
      for (int j = 0; j < kNotices; j++) {
        given++;
        notifier->notify();
      }
    });
  }
  int seen = 0;
  while (seen < 2 * kNotices) {
    REQUIRE(readable(*notifier, kLongMs));
    notifier->clear();
    seen = given;
  }
  threads.emplace_back([notifier] {
    for (int j = 0; j < kNotices; j++) notifier->notify();
  });
  notifier->close();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace sock::sys
