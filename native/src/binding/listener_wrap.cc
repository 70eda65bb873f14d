#include "net/listener.h"

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"

namespace sock::binding {

namespace {

// accept(index, generation, wait) -> slot index of the connection, its generation in kExtra; or a
// negative errno.
napi_value js_accept(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  ListenerGuard guard(context.judge(), *source);
  Result<net::Accepted> accepted =
      net::accept(context.reactor(), *source, net::Report::kNone, args.boolean(2), guard.get());
  if (!accepted.ok()) return context.fail(accepted.error());
  const sys::SockAddr& peer = accepted.value().peer;
  const auto kind = peer.is_unix() ? reactor::Kind::kStream : reactor::Kind::kTcp;
  const sys::InetName name = peer.inet_name();
  reactor::Source* connection = context.adopt(std::move(accepted.value().fd), kind);
  if (connection == nullptr) return to_js(env, -ENOMEM);
  *connection->peer = name;
  return context.name(*connection);
}

}  // namespace

void install_listener(Installer& installer) {
  installer.add("accept", js_accept);
}

}  // namespace sock::binding
