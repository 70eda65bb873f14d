#include "binding/judge.h"

#include <algorithm>

#include "binding/args.h"

namespace sock::binding {

bool Judge::share(napi_env env, napi_value target, napi_value function) {
  env_ = env;
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value guest = nullptr;
  if (napi_create_arraybuffer(env, kAddressMax, &memory, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_uint8_array, kAddressMax, buffer, 0, &guest) != napi_ok) {
    return false;
  }
  guest_ = static_cast<std::byte*>(memory);
  napi_set_named_property(env, target, "guest", guest);
  return napi_create_reference(env, function, 1, &function_) == napi_ok;
}

void Judge::release() {
  if (function_ != nullptr) napi_delete_reference(env_, function_);
}

// Where there is no answer, as when the thread ends, whoever takes the connection asks again.
bool Judge::admits(uint32_t slot, const sys::SockAddr& peer) {
  const std::span<const std::byte> ip = peer.ip();
  asked_ = true;
  std::copy(ip.begin(), ip.end(), guest_);
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return true;
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  napi_value verdict = nullptr;
  napi_get_reference_value(env_, function_, &function);
  napi_get_undefined(env_, &receiver);
  const napi_value arguments[] = {to_js(env_, slot), to_js(env_, static_cast<int64_t>(ip.size()))};
  bool admits = true;
  if (napi_call_function(env_, receiver, function, 2, arguments, &verdict) == napi_ok) {
    napi_get_value_bool(env_, verdict, &admits);
  } else {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env_, &error);
  }
  napi_close_handle_scope(env_, scope);
  return admits;
}

}  // namespace sock::binding
