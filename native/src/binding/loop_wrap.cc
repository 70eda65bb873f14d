// Deadlines, and what keeps the event loop alive.
#include "base/clock.h"
#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"

namespace sock::binding {

namespace {

// now() -> milliseconds on the reactor's clock.
napi_value js_now(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_create_double(env, now_ms(), &result);
  return result;
}

// setDeadline(id, atMs): one record kDeadline at or after that time; replaces an earlier one.
napi_value js_set_deadline(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int32_t id = args.int32(0);
  if (id < 0) return nullptr;
  args.context().reactor().deadlines().set(static_cast<uint32_t>(id), args.number(1));
  args.context().update_timer();
  return nullptr;
}

// clearDeadline(id)
napi_value js_clear_deadline(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const int32_t id = args.int32(0);
  if (id < 0) return nullptr;
  args.context().reactor().deadlines().remove(static_cast<uint32_t>(id));
  args.context().update_timer();
  return nullptr;
}

// holdLoop(on)
napi_value js_hold_loop(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.context().hold_loop(args.boolean(0));
  return nullptr;
}

}  // namespace

void install_loop(Installer& installer) {
  installer.add("now", js_now);
  installer.add("setDeadline", js_set_deadline);
  installer.add("clearDeadline", js_clear_deadline);
  installer.add("holdLoop", js_hold_loop);
}

}  // namespace sock::binding
