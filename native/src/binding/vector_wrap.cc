// Sends and receives of several views by one system call.
#include <cerrno>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/vector.h"
#include "binding/wraps.h"
#include "net/stream.h"

namespace sock::binding {

namespace {

using Transfer = sys::IoResult (*)(reactor::Reactor& reactor, reactor::Source& source,
                                   std::span<iovec> parts, bool wait);

// (index, generation, views, lengths, first, offset, wait) -> count or negative errno, from byte
// `offset` of view number `first` on. `lengths` are those of the views, all above 0; -EFAULT when
// one of the views is no longer that long.
napi_value transfer(napi_env env, napi_callback_info info, Transfer call) {
  const Args<7> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Vector vector;
  if (!vector.find(env, args[2], args[3], args.int32(4), args.number(5))) {
    return to_js(env, -EFAULT);
  }
  return to_js(env, call(args.context().reactor(), *source, vector.parts(), args.boolean(6)));
}

napi_value js_receive_vector(napi_env env, napi_callback_info info) {
  return transfer(env, info, net::receive_vector);
}

napi_value js_send_vector(napi_env env, napi_callback_info info) {
  return transfer(env, info, net::send_vector);
}

}  // namespace

void install_vector(Installer& installer) {
  installer.add("receiveVector", js_receive_vector);
  installer.add("sendVector", js_send_vector);
}

}  // namespace sock::binding
