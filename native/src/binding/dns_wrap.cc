// Name lookups: submitted here, answered as records.
#include <netdb.h>

#include <cerrno>
#include <chrono>
#include <semaphore>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "dns/resolver.h"

namespace sock::binding {

namespace {

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

// lookup(id, host, family) -> false when too many are waiting. Answered by a record kLookedUp.
napi_value js_lookup(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const auto id = static_cast<uint32_t>(args.int32(0));
  const bool taken =
      args.context().resolver().submit(id, args.string(1), to_family(args.int32(2)), 0, 0);
  napi_value result = nullptr;
  napi_get_boolean(env, taken, &result);
  return result;
}

// cancelLookup(id): its answer will never come.
napi_value js_cancel_lookup(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.context().resolver().cancel(static_cast<uint32_t>(args.int32(0)));
  return nullptr;
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
    resolver.submit(0, args.string(0), to_family(args.int32(1)), 0, 0);
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

void Context::take_answers() {
  if (resolver_ == nullptr) return;
  napi_value list = nullptr;
  for (dns::Answer& answer : resolver_->take()) answers_.push_back(std::move(answer));
  if (answers_.empty() || napi_get_reference_value(env_, answer_list_, &list) != napi_ok) return;
  while (!answers_.empty() && record_count_ < kRecordsMax) {
    const dns::Answer& answer = answers_.front();
    napi_set_element(env_, list, answer.id, to_js(env_, answer.addresses));
    record(answer.id, static_cast<int32_t>(Record::kLookedUp), answer.gai_code,
           static_cast<uint32_t>(answer.system_errno));
    answers_.pop_front();
  }
  if (!answers_.empty()) uv_async_send(&wakeup_);
}

void install_dns(Installer& installer) {
  installer.add("lookup", js_lookup);
  installer.add("cancelLookup", js_cancel_lookup);
  installer.add("lookupSync", js_lookup_sync);
  installer.add("describeLookup", js_describe_lookup);
}

}  // namespace sock::binding
