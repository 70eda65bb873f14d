// The module: create(), which makes a context and returns the functions bound to it, and `errno`.
#include <napi.h>

#include <cerrno>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"

namespace {

using sock::binding::Args;
using sock::binding::Context;
using sock::binding::Installer;

// The names of the backends of this platform, the best first.
napi_value names_of_backends(napi_env env) {
  napi_value names = nullptr;
  napi_create_array(env, &names);
  uint32_t count = 0;
  for (const sock::reactor::Backend& backend : sock::reactor::backends()) {
    napi_value name = nullptr;
    napi_create_string_utf8(env, backend.name.data(), backend.name.size(), &name);
    napi_set_element(env, names, count++, name);
  }
  return names;
}

// create(backend, deliver) -> { control, records, traffic, pages, chunks, answers, backend,
// backends, ...functions }, or a negative errno. `deliver(count)` is called once per turn that has
// records, `judge(slot, size)` for each who comes to a listener that is guarded.
napi_value create(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  sock::Error error;
  Context* context = Context::create(env, args.string(0), error);
  if (context == nullptr) return sock::binding::to_js(env, -error.code);
  napi_value target = context->share(args[1], args[2]);
  if (target == nullptr) return sock::binding::to_js(env, -ENOMEM);
  Installer installer(env, target, context);
  install_loop(installer);
  install_socket(installer);
  install_stream(installer);
  install_vector(installer);
  install_message(installer);
  install_datagram(installer);
  install_listener(installer);
  install_counters(installer);
  install_file(installer);
  install_relay(installer);
  install_dns(installer);
  install_poll(installer);
  install_notifier(installer);
  install_descriptor(installer);
  install_rings(installer);
  install_tls(installer);
  napi_set_named_property(env, target, "backend",
                          sock::binding::to_js(env, context->reactor().poller().name()));
  napi_set_named_property(env, target, "backends", names_of_backends(env));
  return target;
}

struct Errno {
  const char* name;
  int value;
};

// Those that lib/ looks at.
constexpr Errno kErrnos[] = {
    {"EAFNOSUPPORT", EAFNOSUPPORT},
    {"EEXIST", EEXIST},
    {"EPROTOTYPE", EPROTOTYPE},
    {"EAGAIN", EAGAIN},
    {"EBADF", EBADF},
    {"ECANCELED", ECANCELED},
    {"ECONNRESET", ECONNRESET},
    {"EFAULT", EFAULT},
    {"EINPROGRESS", EINPROGRESS},
    {"EMFILE", EMFILE},
    {"ENFILE", ENFILE},
    {"ENOBUFS", ENOBUFS},
    {"ENOMEM", ENOMEM},
    {"ENOSPC", ENOSPC},
    {"ENOTCONN", ENOTCONN},
    {"ENOMSG", ENOMSG},
    {"EPROTO", EPROTO},
    {"EPIPE", EPIPE},
    {"EINVAL", EINVAL},
    {"EMSGSIZE", EMSGSIZE},
    {"EPERM", EPERM},
    {"ESRCH", ESRCH},
    {"ETOOMANYREFS", ETOOMANYREFS},
};

napi_value errno_table(napi_env env) {
  napi_value table = nullptr;
  napi_create_object(env, &table);
  for (const Errno& entry : kErrnos) {
    napi_set_named_property(env, table, entry.name, sock::binding::to_js(env, entry.value));
  }
  return table;
}

napi_value init(napi_env env, napi_value exports) {
  Installer(env, exports, nullptr).add("create", create);
  napi_set_named_property(env, exports, "errno", errno_table(env));
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
