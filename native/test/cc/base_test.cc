#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/result.h"
#include "support.h"

namespace sock {

TEST_CASE("a result holds the value it was made from") {
  Result<int> result(42);
  CHECK(result.ok());
  CHECK(result.value() == 42);
  CHECK(result.error().code == 0);
}

TEST_CASE("a result gives away a value that can only be moved") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = result.take();
  CHECK(*taken == 7);
}

TEST_CASE("a failed result says the errno and the call") {
  const Result<int> result(Error{ECONNREFUSED, Syscall::kConnect});
  CHECK_FALSE(result.ok());
  CHECK(result.error().code == ECONNREFUSED);
  CHECK(result.error().call == Syscall::kConnect);
}

TEST_CASE("asking a failed result for its value stops the process") {
  CHECK(test::aborts_in_child([] {
    Result<int> result(Error{EINVAL, Syscall::kNone});
    (void)result.value();
  }));
}

TEST_CASE("an error without an errno stops the process") {
  CHECK(test::aborts_in_child([] { const Status status(Error{0, Syscall::kBind}); }));
}

TEST_CASE("a check that holds does nothing, one that does not stops the process") {
  SOCK_CHECK(1 + 1 == 2);
  CHECK(test::aborts_in_child([] { SOCK_CHECK(1 + 1 == 3); }));
}

TEST_CASE("the clock never goes back") {
  double last_ms = now_ms();
  for (int i = 0; i < 10'000; i++) {
    const double ms = now_ms();
    REQUIRE(ms >= last_ms);
    last_ms = ms;
  }
}

TEST_CASE("the clock counts milliseconds") {
  const double before_ms = now_ms();
  ::usleep(20'000);
  CHECK(now_ms() - before_ms >= 20);
  CHECK(now_ms() - before_ms < 10'000);
}

TEST_CASE("counters are summed over threads, those that have ended included") {
  const auto closes = [] { return sum_of_counters()[static_cast<size_t>(Counter::kCloses)]; };
  const uint64_t before = closes();
  constexpr int kThreads = 4;
  constexpr uint64_t kTimes = 10'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([] {
      Counters own;
      for (uint64_t n = 0; n < kTimes; n++) own.add(Counter::kCloses);
    });
  }
  // Reading is allowed at any time, and never goes back.
  uint64_t last = before;
  for (int i = 0; i < 100; i++) {
    const uint64_t now = closes();
    CHECK(now >= last);
    last = now;
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(closes() - before == kThreads * kTimes);
  Counters here;
  here.add(Counter::kCloses, 5);
  CHECK(closes() - before == kThreads * kTimes + 5);
}

TEST_CASE("durations are summed as the counters are, each cell apart") {
  const auto cells = [] {
    const CounterValues sum = sum_of_counters();
    std::array<uint64_t, kDurationCells> durations{};
    std::copy_n(sum.end() - kDurationCells, kDurationCells, durations.begin());
    return durations;
  };
  std::array<uint64_t, kDurationCells> expected = cells();
  std::thread([] {
    Counters ended;
    ended.add_duration(0, 40);
  }).join();
  Counters here;
  here.add_duration(0, 2);
  here.add_duration(kDurationCells - 2, 7);
  expected[0] += 2;
  expected[1] += 42;
  expected[kDurationCells - 2] += 1;
  expected[kDurationCells - 1] += 7;
  CHECK(cells() == expected);
}

}  // namespace sock
