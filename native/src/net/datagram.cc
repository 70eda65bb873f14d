#include "net/datagram.h"

#include <cerrno>

namespace sock::net {

using reactor::Reactor;
using reactor::Source;

namespace {

// Errors that are pending are told one per call; more than this many in a row are not overtaken by
// datagrams any more.
constexpr int kErrorsPassedMax = 16;

template <class Call>
auto passing_errors(bool passes, Call call, int (*code_of)(const decltype(call())&)) {
  auto result = call();
  for (int i = 0; passes && i < kErrorsPassedMax; i++) {
    const int code = code_of(result);
    if (code == 0 || code == EAGAIN) break;
    result = call();
  }
  return result;
}

void note_received(Reactor& reactor, Source& source, const sys::ReceiveSlots& slots, size_t count) {
  uint64_t bytes = 0;
  uint64_t datagrams = 0;
  for (const sys::DatagramEntry& entry : slots.entries.first(count)) {
    const auto length = static_cast<uint64_t>(entry.length);
    const auto segment = static_cast<uint64_t>(entry.segment);
    bytes += length;
    datagrams += segment > 0 ? (length + segment - 1) / segment : 1;
  }
  source.bytes_received += bytes;
  reactor.counters().add(Counter::kBytesReceived, bytes);
  reactor.counters().add(Counter::kDatagramsReceived, datagrams);
  // The kernel came upon the end of its queue within the call, and tells of whatever arrives since;
  // unless it came upon an error, which it keeps for the next call and tells of no more.
  if (count < slots.entries.size() && !source.broken_off) reactor.mark_drained(source);
}

}  // namespace

sys::IoResult receive_datagrams(Reactor& reactor, Source& source, sys::DatagramCalls& calls,
                                const sys::ReceiveSlots& slots, DatagramMode mode) {
  const sys::IoResult count = passing_errors(
      mode.passes_errors, [&] { return calls.receive(source.fd.get(), slots); },
      [](const sys::IoResult& result) { return result < 0 ? static_cast<int>(-result) : 0; });
  if (count > 0) {
    note_received(reactor, source, slots, static_cast<size_t>(count));
  } else if (count == -EAGAIN) {
    source.broken_off = false;
    if (mode.wait && !source.registered()) {
      const Status armed = reactor.await(source, reactor::kRead);
      if (!armed.ok()) return -armed.error().code;
    }
    reactor.mark_drained(source);
  }
  return count;
}

sys::SendProgress send_datagrams(Reactor& reactor, Source& source, sys::DatagramCalls& calls,
                                 const sys::SendSlots& slots, DatagramMode mode) {
  sys::SendProgress progress = calls.send(source.fd.get(), slots);
  const bool is_stuck = progress.error != 0 && progress.error != EAGAIN && progress.datagrams == 0;
  if (is_stuck && mode.passes_errors) progress = calls.send(source.fd.get(), slots);
  source.bytes_sent += progress.total_bytes;
  reactor.counters().add(Counter::kBytesSent, progress.total_bytes);
  reactor.counters().add(Counter::kDatagramsSent, progress.datagrams);
  if (progress.error != EAGAIN) return progress;
  if (mode.wait && (source.interest & reactor::kWrite) == 0) {
    const Status armed = reactor.await(source, reactor::kWrite);
    if (!armed.ok()) {
      progress.error = armed.error().code;
      return progress;
    }
  }
  reactor.mark_full(source);
  return progress;
}

}  // namespace sock::net
