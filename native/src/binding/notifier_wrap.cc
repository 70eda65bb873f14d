// Descriptors for what is driven by hand, each call naming its notifier first.
#include <cerrno>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"

namespace sock::binding {

namespace {

template <size_t N>
std::shared_ptr<sys::Notifier> notifier_of(const Args<N>& args) {
  return args.context().notifiers().find(args.int32(0));
}

// openNotifier() -> its id, with the descriptor in kExtra; or negative errno.
napi_value js_open_notifier(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Context& context = args.context();
  Result<std::shared_ptr<sys::Notifier>> notifier = sys::Notifier::make();
  if (!notifier.ok()) return context.fail(notifier.error());
  context.control(kExtra) = notifier.value()->fd();
  return to_js(env, context.notifiers().add(notifier.take()));
}

// notify(id)
napi_value js_notify(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  if (const auto notifier = notifier_of(args)) notifier->notify();
  return nullptr;
}

// clearNotifier(id)
napi_value js_clear_notifier(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  if (const auto notifier = notifier_of(args)) notifier->clear();
  return nullptr;
}

// setNotifierDeadline(id, atMs); Infinity for none.
napi_value js_set_notifier_deadline(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  if (const auto notifier = notifier_of(args)) notifier->set_deadline(args.number(1));
  return nullptr;
}

// watchWithNotifier(id, fd, forWriting) -> 0 or negative errno.
napi_value js_watch_with_notifier(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const auto notifier = notifier_of(args);
  if (notifier == nullptr) return to_js(env, -EBADF);
  return args.context().outcome(notifier->watch(args.int32(1), args.boolean(2)));
}

// unwatchWithNotifier(id, fd)
napi_value js_unwatch_with_notifier(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  if (const auto notifier = notifier_of(args)) notifier->unwatch(args.int32(1));
  return nullptr;
}

// closeNotifier(id) -> 1, or 0 when it was closed already.
napi_value js_close_notifier(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return to_js(env, args.context().notifiers().close(args.int32(0)) ? 1 : 0);
}

}  // namespace

void install_notifier(Installer& installer) {
  installer.add("openNotifier", js_open_notifier);
  installer.add("notify", js_notify);
  installer.add("clearNotifier", js_clear_notifier);
  installer.add("setNotifierDeadline", js_set_notifier_deadline);
  installer.add("watchWithNotifier", js_watch_with_notifier);
  installer.add("unwatchWithNotifier", js_unwatch_with_notifier);
  installer.add("closeNotifier", js_close_notifier);
}

}  // namespace sock::binding
