// Polls of users: what SocketPoll and its timers do, each call naming its poll first. An unknown
// poll, closed as it may be, is EBADF.
#include <cerrno>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/poll_set.h"
#include "binding/wraps.h"

namespace sock::binding {

namespace {

template <size_t N>
PollSet* poll_of(const Args<N>& args) {
  return args.context().polls().find(args.int32(0));
}

// pollCreate(backend, eventsMax) -> the array of events, its id in kExtra; or negative errno.
napi_value js_poll_create(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Context& context = args.context();
  const int32_t events_max = args.int32(1);
  if (events_max < 1 || static_cast<size_t>(events_max) > PollSet::kEventsMax) {
    return to_js(env, -EINVAL);
  }
  Result<std::unique_ptr<reactor::Poller>> poller = reactor::make_poller(args.string(0));
  if (!poller.ok()) return context.fail(poller.error());
  PollSet* set = context.polls().create(context, poller.take(), static_cast<size_t>(events_max));
  napi_value events = set->share();
  if (events == nullptr) {
    context.polls().close(*set);
    return to_js(env, -ENOMEM);
  }
  context.control(kExtra) = static_cast<int32_t>(set->id());
  return events;
}

// pollClose(id)
napi_value js_poll_close(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  PollSet* set = poll_of(args);
  if (set == nullptr) return to_js(env, 0);
  args.context().polls().close(*set);
  return to_js(env, 1);
}

template <size_t N>
reactor::Token token_of(const Args<N>& args) {
  return {static_cast<uint32_t>(args.int32(2)), static_cast<uint32_t>(args.int32(3))};
}

reactor::Interest interest_of(const Args<5>& args) {
  return static_cast<reactor::Interest>(args.int32(4));
}

// pollAdd(id, fd, index, generation, interest) -> 0 or negative errno.
napi_value js_poll_add(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  PollSet* set = poll_of(args);
  if (set == nullptr) return to_js(env, -EBADF);
  const Status added = set->poller().add(args.int32(1), token_of(args), interest_of(args));
  return args.context().outcome(added);
}

// pollModify(id, fd, index, generation, interest) -> 0 or negative errno.
napi_value js_poll_modify(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  PollSet* set = poll_of(args);
  if (set == nullptr) return to_js(env, -EBADF);
  const Status modified = set->poller().modify(args.int32(1), token_of(args), interest_of(args));
  return args.context().outcome(modified);
}

// pollRemove(id, fd, index, generation)
napi_value js_poll_remove(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  PollSet* set = poll_of(args);
  if (set != nullptr) set->poller().remove(args.int32(1), token_of(args));
  return nullptr;
}

// pollWait(id, limitMs) -> how many events were written, with 1 in kExtra if it was woken; or
// negative errno. Infinity: no limit.
napi_value js_poll_wait(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Context& context = args.context();
  PollSet* set = poll_of(args);
  if (set == nullptr) return to_js(env, -EBADF);
  Result<PollSet::Found> found = set->wait(args.number(1));
  if (!found.ok()) return context.fail(found.error());
  context.control(kExtra) = found.value().woken ? 1 : 0;
  Counters& counters = context.reactor().counters();
  counters.add(Counter::kPollWakeups);
  counters.add(Counter::kPollEventsDispatched, found.value().count);
  return to_js(env, static_cast<int64_t>(found.value().count));
}

// pollArm(id) -> 0 or negative errno; one record kPollReady when there is something to wait for.
napi_value js_poll_arm(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  PollSet* set = poll_of(args);
  if (set == nullptr) return to_js(env, -EBADF);
  return args.context().outcome(set->arm());
}

// pollDisarm(id): nobody waits any more.
napi_value js_poll_disarm(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  PollSet* set = poll_of(args);
  if (set != nullptr) set->disarm();
  return nullptr;
}

// pollName(id) -> the number that wakes it from any thread; 0 when it is closed.
napi_value js_poll_name(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  PollSet* set = poll_of(args);
  return to_js(env, set == nullptr ? 0 : static_cast<int64_t>(set->target().name()));
}

// pollWake(name) -> whether there is such a poll, on whichever thread.
napi_value js_poll_wake(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const double name = args.number(0);
  const bool is_name = name >= 1 && name <= static_cast<double>(WakeTarget::kNameMax);
  napi_value result = nullptr;
  napi_get_boolean(env, is_name && wake_target(static_cast<uint64_t>(name)), &result);
  return result;
}

// pollSetTimer(id, timer, atMs)
napi_value js_poll_set_timer(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  PollSet* set = poll_of(args);
  const int32_t timer = args.int32(1);
  if (set != nullptr && timer >= 0) {
    set->deadlines().set(static_cast<uint32_t>(timer), args.number(2));
  }
  return nullptr;
}

// pollClearTimer(id, timer)
napi_value js_poll_clear_timer(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  PollSet* set = poll_of(args);
  const int32_t timer = args.int32(1);
  if (set != nullptr && timer >= 0) set->deadlines().remove(static_cast<uint32_t>(timer));
  return nullptr;
}

// pollTakeTimer(id, nowMs) -> the earliest timer that is due, no longer set; or −1.
napi_value js_poll_take_timer(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  PollSet* set = poll_of(args);
  uint32_t timer = 0;
  if (set == nullptr || !set->deadlines().take_due(args.number(1), timer)) return to_js(env, -1);
  return to_js(env, timer);
}

// pollNextTimer(id) -> when the earliest timer is due; Infinity when there is none.
napi_value js_poll_next_timer(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  PollSet* set = poll_of(args);
  napi_value result = nullptr;
  const double at_ms = set == nullptr ? reactor::Deadlines::kNone : set->deadlines().earliest_ms();
  napi_create_double(env, at_ms, &result);
  return result;
}

}  // namespace

void install_poll(Installer& installer) {
  installer.add("pollCreate", js_poll_create);
  installer.add("pollClose", js_poll_close);
  installer.add("pollAdd", js_poll_add);
  installer.add("pollModify", js_poll_modify);
  installer.add("pollRemove", js_poll_remove);
  installer.add("pollWait", js_poll_wait);
  installer.add("pollArm", js_poll_arm);
  installer.add("pollDisarm", js_poll_disarm);
  installer.add("pollName", js_poll_name);
  installer.add("pollWake", js_poll_wake);
  installer.add("pollSetTimer", js_poll_set_timer);
  installer.add("pollClearTimer", js_poll_clear_timer);
  installer.add("pollTakeTimer", js_poll_take_timer);
  installer.add("pollNextTimer", js_poll_next_timer);
}

}  // namespace sock::binding
