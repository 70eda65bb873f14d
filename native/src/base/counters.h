// What the whole process has done, in numbers. Each thread counts in a block of its own, which
// costs it a load and a store; whoever wants the sum reads them all.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <tuple>

namespace sock {

// Mirrored by `counterNames` in lib/constants.ts.
enum class Counter : uint8_t {
  kConnectSuccess,
  kConnectFailure,
  kShutdownCalls,
  kDnsSubmitted,
  kDnsCompleted,
  kDnsFailed,
  kDnsCancelled,
  kDnsTimeout,
  kPollWakeups,
  kPollEventsDispatched,
  kPoolConnectionsAdded,
  kPoolConnectionsRemoved,
  kPoolConnectionsReused,
  kAccepts,
  kAcceptRejects,
  kCloses,
  kBytesReceived,
  kBytesSent,
  kDatagramsReceived,
  kDatagramsSent,
  kTlsHandshakes,
  kTlsHandshakeFailures,
  kTlsResumptions,
  kReconnects,
  kTimersFired,
  kIoUringCompletions,
  kTcpRetransmits,
  kCount,
};

// Behind the counters: of each kind of duration and outcome, for each bucket how many fell into it
// and their sum in microseconds. lib/duration-cells.ts alone knows which cell is which.
inline constexpr size_t kDurationCells = 4 * 2 * 16 * 2;

using CounterValues = std::array<uint64_t, static_cast<size_t>(Counter::kCount) + kDurationCells>;

// The counts of one thread, which alone may add. Any thread may read.
class Counters {
 public:
  Counters();
  // What was counted stays in the sum.
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  void add(Counter counter, uint64_t by = 1) { add_at(static_cast<size_t>(counter), by); }

  // `cell` is that of the number in a bucket; its sum is the next one.
  void add_duration(size_t cell, uint64_t us) {
    add_at(static_cast<size_t>(Counter::kCount) + cell, 1);
    add_at(static_cast<size_t>(Counter::kCount) + cell + 1, us);
  }

  void add_to(CounterValues& sum) const {
    for (size_t i = 0; i < sum.size(); i++) sum[i] += values_[i].load(std::memory_order_relaxed);
  }

 private:
  // Not an atomic addition: nobody else writes.
  void add_at(size_t index, uint64_t by) {
    std::atomic<uint64_t>& value = values_[index];
    value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  // Lines of its own, or the counting of one thread would slow down another.
  alignas(64) std::array<std::atomic<uint64_t>, std::tuple_size_v<CounterValues>> values_{};
};

// Of all threads, those that have ended included. Not a moment's picture: others go on counting.
CounterValues sum_of_counters();

}  // namespace sock
