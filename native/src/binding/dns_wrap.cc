// Name lookups: submitted here, answered as records.
#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <semaphore>
#include <utility>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "dns/resolver.h"
#include "sys/socket_calls.h"

namespace sock::binding {

namespace {

// The pool that the first argument of a call names, or null.
template <size_t N>
dns::Resolver* pool_of(const Args<N>& args) {
  return args.context().resolver(static_cast<uint32_t>(args.int32(0)));
}

// Families in the order of lib/constants.ts, and any.
int to_family(int32_t family) {
  if (family == 0) return AF_INET;
  return family == 1 ? AF_INET6 : AF_UNSPEC;
}

napi_value to_js(napi_env env, const std::vector<sys::SockAddr>& addresses) {
  napi_value list = nullptr;
  napi_create_array_with_length(env, addresses.size(), &list);
  for (size_t i = 0; i < addresses.size(); i++) {
    napi_value address = binding::to_js(env, addresses[i].host());
    napi_set_element(env, list, static_cast<uint32_t>(i), address);
  }
  return list;
}

// The addresses, or the one name that was asked for.
napi_value to_js(napi_env env, const dns::Answer& answer) {
  napi_value list = to_js(env, answer.addresses);
  if (!answer.name.empty()) napi_set_element(env, list, 0, binding::to_js(env, answer.name));
  return list;
}

napi_value submit(const Context& context, dns::Resolver* resolver, dns::Question question) {
  const bool taken = resolver != nullptr && resolver->submit(std::move(question));
  napi_value result = nullptr;
  napi_get_boolean(context.env(), taken, &result);
  return result;
}

// lookup(pool, id, host, family, flags) -> false when too many are waiting. Answered by a record
// kLookedUp. Ids are unique over all pools.
napi_value js_lookup(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  const auto id = static_cast<uint32_t>(args.int32(1));
  return submit(args.context(), pool_of(args),
                {.id = id,
                 .host = args.string(2),
                 .family = to_family(args.int32(3)),
                 .flags = args.int32(4, 0)});
}

// lookupName(pool, id, address) -> as lookup(); the answer is one name.
napi_value js_lookup_name(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const auto id = static_cast<uint32_t>(args.int32(1));
  return submit(args.context(), pool_of(args), {.id = id, .host = args.string(2), .reverse = true});
}

// cancelLookup(pool, id): its answer will never come.
napi_value js_cancel_lookup(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  args.context().cancel_lookup(static_cast<uint32_t>(args.int32(0)),
                               static_cast<uint32_t>(args.int32(1)));
  return nullptr;
}

// watchLookup(pool, id, notifier): it is told, too, when the answer is there.
napi_value js_watch_lookup(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  dns::Resolver* resolver = pool_of(args);
  auto watcher = args.context().notifiers().find(args.int32(2));
  if (resolver != nullptr && watcher != nullptr) {
    resolver->watch(static_cast<uint32_t>(args.int32(1)), std::move(watcher));
  }
  return nullptr;
}

// takeLookups(pool) -> the answers that are there, each as four elements: id, addresses, the EAI_*
// code or 0, errno. They will not be recorded.
napi_value js_take_lookups(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  napi_value list = nullptr;
  napi_create_array(env, &list);
  uint32_t at = 0;
  const auto append = [&](napi_value value) { napi_set_element(env, list, at++, value); };
  for (const dns::Answer& answer :
       args.context().take_lookups(static_cast<uint32_t>(args.int32(0)))) {
    append(binding::to_js(env, static_cast<int64_t>(answer.id)));
    append(to_js(env, answer));
    append(binding::to_js(env, answer.gai_code));
    append(binding::to_js(env, answer.system_errno));
  }
  return list;
}

// openPool(threads, threadsMax, pendingMax) -> its number.
napi_value js_open_pool(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const auto threads = static_cast<unsigned>(std::max(args.int32(0), 1));
  const uint32_t pool = args.context().open_pool(
      {.threads = threads,
       .threads_max = std::max(static_cast<unsigned>(std::max(args.int32(1), 1)), threads),
       .pending_max = static_cast<size_t>(std::max(args.int32(2), 0))});
  return binding::to_js(env, static_cast<int32_t>(pool));
}

// resizePool(pool, pendingMax)
napi_value js_resize_pool(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  dns::Resolver* resolver = pool_of(args);
  if (resolver != nullptr) {
    resolver->set_pending_max(static_cast<size_t>(std::max(args.int32(1), 0)));
  }
  return nullptr;
}

// closePool(pool): what it was asked is answered no more.
napi_value js_close_pool(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.context().close_pool(static_cast<uint32_t>(args.int32(0)));
  return nullptr;
}

// poolThreads(pool) -> how many it has; the stuck ones in kExtra, questions that wait in kExtra2.
napi_value js_pool_threads(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const dns::Resolver* resolver = pool_of(args);
  const dns::Load load = resolver == nullptr ? dns::Load{} : resolver->load();
  args.context().control(kExtra) = static_cast<int32_t>(load.stuck);
  args.context().control(kExtra2) = static_cast<int32_t>(load.pending);
  return binding::to_js(env, static_cast<int32_t>(load.threads));
}

// sourceAddress(host) -> the address that this machine would send from, or "" without a route.
napi_value js_source_address(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  // Some systems refuse to connect to port 0.
  Result<sys::SockAddr> destination = sys::SockAddr::from_literal(args.string(0), 9);
  if (!destination.ok()) return binding::to_js(env, std::string());
  Result<sys::SockAddr> source = sys::source_address(destination.value());
  return binding::to_js(env, source.ok() ? source.value().host() : std::string());
}

// lookupSync(host, family, timeoutMs) -> addresses, or the EAI_* code with its errno in kExtra, or
// null when the time was over. Blocks this thread; the lookup itself runs on another, or there
// would be no giving up. A negative timeout means no limit.
napi_value js_lookup_sync(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  std::binary_semaphore answered(0);
  const auto notify = [](void* semaphore) {
    static_cast<std::binary_semaphore*>(semaphore)->release();
  };
  std::vector<dns::Answer> answers;
  {
    dns::Resolver resolver(dns::Limits{.threads = 1, .threads_max = 1}, notify, &answered);
    resolver.submit({.host = args.string(0), .family = to_family(args.int32(1))});
    const double timeout_ms = args.number(2);
    if (timeout_ms < 0) {
      answered.acquire();
    } else if (!answered.try_acquire_for(std::chrono::duration<double, std::milli>(timeout_ms))) {
      return nullptr;
    }
    answers = resolver.take();
  }
  if (answers.empty()) return nullptr;
  if (answers[0].gai_code == 0) return to_js(env, answers[0].addresses);
  args.context().control(kExtra) = answers[0].system_errno;
  return binding::to_js(env, answers[0].gai_code);
}

// describeLookup(code) -> gai_strerror's text.
napi_value js_describe_lookup(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return binding::to_js(env, std::string(gai_strerror(args.int32(0))));
}

}  // namespace

dns::Resolver* Context::resolver(uint32_t pool) {
  if (const auto found = resolvers_.find(pool); found != resolvers_.end()) {
    return found->second.get();
  }
  if (pool != kDefaultPool) return nullptr;
  return add_pool(pool, {});
}

dns::Resolver* Context::add_pool(uint32_t pool, const dns::Limits& limits) {
  const auto wake = [](void* handle) { uv_async_send(static_cast<uv_async_t*>(handle)); };
  auto& resolver = resolvers_[pool];
  resolver = std::make_unique<dns::Resolver>(limits, wake, &wakeup_);
  return resolver.get();
}

uint32_t Context::open_pool(const dns::Limits& limits) {
  add_pool(++last_pool_, limits);
  return last_pool_;
}

void Context::cancel_lookup(uint32_t pool, uint32_t id) {
  // Taken already, but not told yet: the id may be somebody else's by then.
  std::erase_if(answers_, [id](const dns::Answer& answer) { return answer.id == id; });
  if (dns::Resolver* found = resolver(pool); found != nullptr) found->cancel(id);
}

std::deque<dns::Answer> Context::take_lookups(uint32_t pool) {
  std::deque<dns::Answer> taken = std::exchange(answers_, {});
  if (dns::Resolver* found = resolver(pool); found != nullptr) {
    for (dns::Answer& answer : found->take()) taken.push_back(std::move(answer));
  }
  return taken;
}

void Context::take_answers() {
  if (resolvers_.empty()) return;
  napi_value list = nullptr;
  for (const auto& [pool, resolver] : resolvers_) {
    for (dns::Answer& answer : resolver->take()) answers_.push_back(std::move(answer));
  }
  if (answers_.empty() || napi_get_reference_value(env_, answer_list_, &list) != napi_ok) return;
  while (!answers_.empty() && record_count_ < kRecordsMax) {
    const dns::Answer& answer = answers_.front();
    napi_set_element(env_, list, answer.id, to_js(env_, answer));
    record(answer.id, static_cast<int32_t>(Record::kLookedUp), answer.gai_code,
           static_cast<uint32_t>(answer.system_errno));
    answers_.pop_front();
  }
  if (!answers_.empty()) uv_async_send(&wakeup_);
}

void install_dns(Installer& installer) {
  installer.add("lookup", js_lookup);
  installer.add("lookupName", js_lookup_name);
  installer.add("cancelLookup", js_cancel_lookup);
  installer.add("lookupSync", js_lookup_sync);
  installer.add("describeLookup", js_describe_lookup);
  installer.add("watchLookup", js_watch_lookup);
  installer.add("takeLookups", js_take_lookups);
  installer.add("openPool", js_open_pool);
  installer.add("resizePool", js_resize_pool);
  installer.add("closePool", js_close_pool);
  installer.add("poolThreads", js_pool_threads);
  installer.add("sourceAddress", js_source_address);
}

}  // namespace sock::binding
