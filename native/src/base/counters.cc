#include "base/counters.h"

#include <mutex>
#include <vector>

namespace sock {

namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const Counters*> blocks;
  CounterValues ended{};
};

// Never destroyed: threads may end after the static objects of the process.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

}  // namespace

Counters::Counters() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.blocks.push_back(this);
}

Counters::~Counters() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  std::erase(all.blocks, this);
  add_to(all.ended);
}

CounterValues sum_of_counters() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  CounterValues sum = all.ended;
  for (const Counters* block : all.blocks) block->add_to(sum);
  return sum;
}

}  // namespace sock
