// Questions to a descriptor, whoever's it is: a connection may be TLS, or of the caller's making.
#include <algorithm>
#include <cerrno>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "sys/socket_calls.h"
#include "sys/socket_options.h"
#include "sys/tcp_info.h"

namespace sock::binding {

namespace {

// peek(fd) -> 1: there is something to receive; 0: the end of the stream; or negative errno,
// EAGAIN when there is nothing.
napi_value js_peek(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return to_js(env, sys::peek(args.int32(0)));
}

// setOptionOf(fd, option, value) -> 0 or negative errno.
napi_value js_set_option_of(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  const int32_t option = args.int32(1);
  if (option < 0 || option >= static_cast<int32_t>(sys::Option::kCount)) {
    return to_js(env, -EINVAL);
  }
  Result<sys::OptionName> name = sys::option_name(static_cast<sys::Option>(option));
  if (!name.ok()) return context.fail(name.error());
  const auto [level, number] = name.value();
  return context.outcome(sys::set_option(args.int32(0), level, number, args.int32(2)));
}

// tcpInfoOf(fd, figures) -> as tcpInfo().
napi_value js_tcp_info_of(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const std::span<double> target = args.doubles(1);
  Result<sys::TcpFigures> figures = sys::tcp_figures(args.int32(0));
  if (!figures.ok()) return args.context().fail(figures.error());
  if (target.size() < figures.value().size()) return to_js(env, -EFAULT);
  std::ranges::copy(figures.value(), target.begin());
  return to_js(env, 0);
}

}  // namespace

void install_descriptor(Installer& installer) {
  installer.add("peek", js_peek);
  installer.add("setOptionOf", js_set_option_of);
  installer.add("tcpInfoOf", js_tcp_info_of);
}

}  // namespace sock::binding
