// Relays: two sockets whose bytes pass without JavaScript, until both directions have ended.
#include <cerrno>
#include <utility>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "net/relay.h"

namespace sock::binding {

using reactor::Source;

namespace {

// relay(index, generation, index, generation) -> id, or -EBADF. Nothing moves before openFlow(). A
// record kTask tells of its end: 0, or a negative errno and the system call.
napi_value js_relay(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Context& context = args.context();
  Source* first = source_of(args);
  Source* second = context.find(args.int32(2), args.int32(3));
  if (first == nullptr || second == nullptr) return to_js(env, -EBADF);
  // It moves what the descriptors carry, which with a filter are not the bytes of users.
  if (first->filter != nullptr || second->filter != nullptr) return to_js(env, -EINVAL);
  return to_js(env, context.join(*first, *second));
}

// openFlow(id, flow): what had to go ahead has gone. Flow 0 is from the first socket to the second.
napi_value js_open_flow(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  args.context().open_flow(static_cast<uint32_t>(args.int32(0)), args.int32(1) == 0 ? 0 : 1);
  return nullptr;
}

// relayMoved(id, flow) -> bytes.
napi_value js_relay_moved(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const net::Relay* relay = args.context().find_relay(static_cast<uint32_t>(args.int32(0)));
  const size_t flow = args.int32(1) == 0 ? 0 : 1;
  return to_js(env, relay == nullptr ? 0 : static_cast<int64_t>(relay->moved(flow)));
}

// endRelay(id): nothing moves any more; what was taken in and is not out yet is lost.
napi_value js_end_relay(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.context().part(static_cast<uint32_t>(args.int32(0)));
  return nullptr;
}

}  // namespace

uint32_t Context::join(Source& first, Source& second) {
  const uint32_t id = new_task();
  relays_.emplace(id, Joined{net::Relay(first.token, second.token)});
  first.relay = second.relay = id;
  return id;
}

void Context::open_flow(uint32_t id, size_t flow) {
  net::Relay* relay = find_relay(id);
  if (relay == nullptr) return;
  relay->open(flow);
  schedule_relay(id);
  uv_async_send(&wakeup_);
}

net::Relay* Context::find_relay(uint32_t id) {
  const auto joined = relays_.find(id);
  return joined == relays_.end() ? nullptr : &joined->second.relay;
}

void Context::part(uint32_t id) {
  const net::Relay* relay = find_relay(id);
  if (relay == nullptr) return;
  for (const reactor::Token token : {relay->first(), relay->second()}) {
    Source* source = reactor_->slots().find(token);
    if (source != nullptr) source->relay = 0;
  }
  relays_.erase(id);
}

void Context::schedule_relay(uint32_t id) {
  const auto joined = relays_.find(id);
  if (joined == relays_.end() || joined->second.is_due) return;
  joined->second.is_due = true;
  due_relays_.push_back(id);
}

void Context::run_relays() {
  using Progress = net::Relay::Progress;
  const std::vector<uint32_t> due = std::exchange(due_relays_, {});
  for (const uint32_t id : due) {
    const auto joined = relays_.find(id);
    if (joined == relays_.end()) continue;
    joined->second.is_due = false;
    if (record_count_ == kRecordsMax) {
      schedule_relay(id);
      continue;
    }
    const Progress progress = joined->second.relay.step(*reactor_);
    if (progress == Progress::kMore) schedule_relay(id);
    if (progress != Progress::kDone && progress != Progress::kFailed) continue;
    const Error& error = joined->second.relay.error();
    record(id, static_cast<int32_t>(Record::kTask), -error.code, static_cast<uint32_t>(error.call));
  }
  // A share is used up, and everybody else comes first.
  if (!due_relays_.empty()) uv_async_send(&wakeup_);
}

void install_relay(Installer& installer) {
  installer.add("relay", js_relay);
  installer.add("openFlow", js_open_flow);
  installer.add("relayMoved", js_relay_moved);
  installer.add("endRelay", js_end_relay);
}

}  // namespace sock::binding
