// What the whole process has done, in numbers. Each thread counts in a block of its own, which
// costs it a load and a store; whoever wants the sum reads them all.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

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

using CounterValues = std::array<uint64_t, static_cast<size_t>(Counter::kCount)>;

// The counts of one thread, which alone may add. Any thread may read.
class Counters {
 public:
  Counters();
  // What was counted stays in the sum.
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  // Not an atomic addition: nobody else writes.
  void add(Counter counter, uint64_t by = 1) {
    std::atomic<uint64_t>& value = values_[static_cast<size_t>(counter)];
    value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  void add_to(CounterValues& sum) const {
    for (size_t i = 0; i < sum.size(); i++) sum[i] += values_[i].load(std::memory_order_relaxed);
  }

 private:
  // Lines of its own, or the counting of one thread would slow down another.
  alignas(64) std::array<std::atomic<uint64_t>, static_cast<size_t>(Counter::kCount)> values_{};
};

// Of all threads, those that have ended included. Not a moment's picture: others go on counting.
CounterValues sum_of_counters();

}  // namespace sock
