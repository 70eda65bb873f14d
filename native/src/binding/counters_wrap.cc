// What the process has done, and what went over one socket.
#include <cerrno>
#include <span>

#include "base/counters.h"
#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"

namespace sock::binding {

namespace {

// count(counter, by): what only JavaScript knows of. Numbers that are none count nothing.
napi_value js_count(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int32_t counter = args.int32(0);
  const double by = args.number(1);
  if (counter < 0 || counter >= static_cast<int32_t>(Counter::kCount) || !(by > 0)) return nullptr;
  args.context().reactor().counters().add(static_cast<Counter>(counter), static_cast<uint64_t>(by));
  return nullptr;
}

// countDuration(cell, us): one more in a bucket, and how long it took.
napi_value js_count_duration(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int32_t cell = args.int32(0);
  const double us = args.number(1);
  if (cell < 0 || cell % 2 != 0 || cell >= static_cast<int32_t>(kDurationCells)) return nullptr;
  if (!(us >= 0)) return nullptr;
  args.context().reactor().counters().add_duration(static_cast<size_t>(cell),
                                                   static_cast<uint64_t>(us));
  return nullptr;
}

// readCounters(values): the sums over all threads, in the places that lib/constants.ts names, then
// the durations.
napi_value js_read_counters(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const std::span<double> target = args.doubles(0);
  const CounterValues sum = sum_of_counters();
  if (target.size() < sum.size()) return nullptr;
  for (size_t i = 0; i < sum.size(); i++) target[i] = static_cast<double>(sum[i]);
  return nullptr;
}

// countRetransmits(on): from now on, sockets of this thread count theirs when they are closed.
napi_value js_count_retransmits(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.context().count_retransmits(args.boolean(0));
  return nullptr;
}

// readTraffic(index, generation): what went over the socket, in `traffic`; -EBADF when closed.
napi_value js_read_traffic(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  args.context().tell_traffic(*source);
  return to_js(env, 0);
}

}  // namespace

void install_counters(Installer& installer) {
  installer.add("count", js_count);
  installer.add("countDuration", js_count_duration);
  installer.add("readCounters", js_read_counters);
  installer.add("countRetransmits", js_count_retransmits);
  installer.add("readTraffic", js_read_traffic);
}

}  // namespace sock::binding
