#include "reactor/deadlines.h"

#include <algorithm>
#include <map>
#include <random>

#include "support.h"

namespace sock::reactor {

namespace {

uint32_t take_due(Deadlines& deadlines, double now_ms) {
  uint32_t id = UINT32_MAX;
  REQUIRE(deadlines.take_due(now_ms, id));
  return id;
}

}  // namespace

TEST_CASE("without a deadline there is none") {
  Deadlines deadlines;
  uint32_t id = 5;
  CHECK(deadlines.size() == 0);
  CHECK(deadlines.earliest_ms() == Deadlines::kNone);
  CHECK_FALSE(deadlines.take_due(1e18, id));
  CHECK(id == 5);
}

TEST_CASE("a deadline is due at its time and never before") {
  Deadlines deadlines;
  deadlines.set(3, 100);
  uint32_t id = 0;
  CHECK_FALSE(deadlines.take_due(99.999, id));
  CHECK(take_due(deadlines, 100) == 3);
  CHECK_FALSE(deadlines.take_due(1000, id));
}

TEST_CASE("deadlines come in the order of their times") {
  Deadlines deadlines;
  deadlines.set(0, 30);
  deadlines.set(1, 10);
  deadlines.set(2, 20);
  CHECK(deadlines.earliest_ms() == 10);
  CHECK(take_due(deadlines, 50) == 1);
  CHECK(take_due(deadlines, 50) == 2);
  CHECK(take_due(deadlines, 50) == 0);
}

TEST_CASE("setting an id again moves its one deadline") {
  Deadlines deadlines;
  deadlines.set(0, 10);
  deadlines.set(1, 20);
  deadlines.set(0, 30);
  CHECK(deadlines.size() == 2);
  CHECK(take_due(deadlines, 50) == 1);
  deadlines.set(0, 5);
  CHECK(deadlines.earliest_ms() == 5);
}

TEST_CASE("a removed deadline never comes, and an unknown id can be removed") {
  Deadlines deadlines;
  deadlines.set(0, 10);
  deadlines.remove(0);
  deadlines.remove(0);
  deadlines.remove(12345);
  CHECK(deadlines.size() == 0);
  CHECK(deadlines.earliest_ms() == Deadlines::kNone);
}

TEST_CASE("random operations agree with a sorted map") {
  const uint64_t seed = test::test_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t bound) { return random() % bound; };

  Deadlines deadlines;
  std::multimap<double, uint32_t> model;
  std::map<uint32_t, double> time_of_id;
  const auto forget = [&](uint32_t id) {
    const auto known = time_of_id.find(id);
    if (known == time_of_id.end()) return;
    const auto [first, last] = model.equal_range(known->second);
    const auto entry = std::find_if(first, last, [id](auto& each) { return each.second == id; });
    REQUIRE(entry != last);
    model.erase(entry);
    time_of_id.erase(known);
  };

  const auto take_one = [&](double now_ms) {
    uint32_t taken = 0;
    const bool due = deadlines.take_due(now_ms, taken);
    REQUIRE(due == (!model.empty() && model.begin()->first <= now_ms));
    if (!due) return false;
    REQUIRE(time_of_id.at(taken) == model.begin()->first);
    forget(taken);
    return true;
  };

  for (int step = 0; step < 20'000; step++) {
    // Now and then all of them: the order deep in the heap shows only at the end.
    if (step % 500 == 499) {
      while (take_one(1000)) {
      }
    }
    const auto id = static_cast<uint32_t>(below(300));
    const uint64_t choice = below(10);
    if (choice < 6) {
      // Few distinct times, so that equal ones are common.
      const auto at_ms = static_cast<double>(below(1000));
      deadlines.set(id, at_ms);
      forget(id);
      model.emplace(at_ms, id);
      time_of_id[id] = at_ms;
    } else if (choice < 8) {
      deadlines.remove(id);
      forget(id);
    } else {
      (void)take_one(static_cast<double>(below(200)));
    }
    REQUIRE(deadlines.size() == model.size());
    REQUIRE(deadlines.earliest_ms() == (model.empty() ? Deadlines::kNone : model.begin()->first));
  }
}

}  // namespace sock::reactor
