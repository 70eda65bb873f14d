// A socket's birth, names, options and end.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "sys/descriptor_flags.h"
#include "sys/peer_credentials.h"
#include "sys/socket_calls.h"
#include "sys/socket_identity.h"
#include "sys/socket_options.h"
#include "sys/tcp_info.h"

namespace sock::binding {

namespace {

// Families and types in the order of lib/constants.ts.
constexpr int kFamilies[] = {AF_INET, AF_INET6, AF_UNIX};
constexpr int kTypes[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
template <class T, size_t N>
const T* pick(const T (&table)[N], int32_t index) {
  return index >= 0 && static_cast<size_t>(index) < N ? &table[index] : nullptr;
}

reactor::Kind kind_of(int family, int type) {
  return family != AF_UNIX && type == SOCK_STREAM ? reactor::Kind::kTcp : reactor::Kind::kStream;
}

// open(family, type) -> slot index, generation in kExtra; or negative errno.
napi_value js_open(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Context& context = args.context();
  const int* family = pick(kFamilies, args.int32(0));
  const int* type = pick(kTypes, args.int32(1));
  if (family == nullptr || type == nullptr) return to_js(env, -EINVAL);
  Result<sys::UniqueFd> fd = sys::open_socket(*family, *type);
  if (!fd.ok()) return context.fail(fd.error());
  reactor::Source* source = context.adopt(fd.take(), kind_of(*family, *type));
  return source == nullptr ? to_js(env, -ENOMEM) : context.name(*source);
}

// The position in the table, or -1.
template <size_t N>
int32_t position(const int (&table)[N], int value) {
  const int* found = std::ranges::find(table, value);
  return found == std::end(table) ? -1 : static_cast<int32_t>(found - table);
}

// fromFd(fd, datagrams) -> slot index, generation in kExtra, family in kExtra2, type and (from bit
// 8 on) role in kExtra3; or negative errno, and the descriptor is still its owner's: EEXIST when
// that is us, EPROTOTYPE when it is not of the kind that was asked for.
napi_value js_from_fd(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Context& context = args.context();
  const int fd = args.int32(0);
  Result<sys::Identity> identity = sys::identify(fd);
  if (!identity.ok()) return context.fail(identity.error());
  const sys::Identity& found = identity.value();
  if ((found.type == SOCK_DGRAM) != args.boolean(1)) {
    return context.fail(Error{EPROTOTYPE, Syscall::kNone});
  }
  bool is_ours = false;
  context.reactor().slots().for_each(
      [&](const reactor::Source& source) { is_ours |= source.fd.get() == fd; });
  if (is_ours) return context.fail(Error{EEXIST, Syscall::kNone});
  if (!context.reserve()) return to_js(env, -ENOMEM);
  const Status cloexec = sys::set_close_on_exec(fd, true);
  if (!cloexec.ok()) return context.fail(cloexec.error());
  const Status non_blocking = sys::set_non_blocking(fd, true);
  if (!non_blocking.ok()) return context.fail(non_blocking.error());
  auto kind = found.is_tcp ? reactor::Kind::kTcp : reactor::Kind::kStream;
  if (found.role == sys::Role::kListening) kind = reactor::Kind::kListener;
  reactor::Source* source = context.adopt(sys::UniqueFd(fd), kind);
  *source->peer = found.peer;
  context.control(kExtra2) = position(kFamilies, found.family);
  context.control(kExtra3) = position(kTypes, found.type) | static_cast<int32_t>(found.role) << 8;
  return context.name(*source);
}

// detach(index, generation, nonBlocking) -> the descriptor, which is the caller's now, or negative
// errno, and nothing has changed.
napi_value js_detach(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Status set = sys::set_non_blocking(source->fd.get(), args.boolean(2));
  if (!set.ok()) return context.fail(set.error());
  return to_js(env, context.release(*source).release());
}

// pair(type) -> slot index of the first, its generation in kExtra, the second in kExtra2 and
// kExtra3; or negative errno.
napi_value js_pair(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Context& context = args.context();
  const int* type = pick(kTypes, args.int32(0));
  if (type == nullptr) return to_js(env, -EINVAL);
  Result<sys::FdPair> pair = sys::open_pair(*type);
  if (!pair.ok()) return context.fail(pair.error());
  reactor::Source* first = context.adopt(std::move(pair.value().first), reactor::Kind::kStream);
  if (first == nullptr) return to_js(env, -ENOMEM);
  reactor::Source* second = context.adopt(std::move(pair.value().second), reactor::Kind::kStream);
  if (second == nullptr) {
    context.reactor().close(*first);
    return to_js(env, -ENOMEM);
  }
  context.control(kExtra2) = static_cast<int32_t>(second->token.index);
  context.control(kExtra3) = static_cast<int32_t>(second->token.generation);
  return context.name(*first);
}

// bind(index, generation, host, port) -> 0 or negative errno. A host of "" is the wildcard address
// of the socket's family (0: IPv4, 1: IPv6, the fifth argument).
napi_value js_bind(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const std::string host = args.string(2);
  const auto port = static_cast<uint16_t>(args.int32(3));
  const int family = args.int32(4) == 1 ? AF_INET6 : AF_INET;
  Result<sys::SockAddr> address = host.empty()
                                      ? Result<sys::SockAddr>(sys::SockAddr::any(family, port))
                                      : sys::SockAddr::from_literal(host, port);
  if (!address.ok()) return context.fail(address.error());
  return context.outcome(sys::bind_socket(source->fd.get(), address.value()));
}

// bindUnix(index, generation, path, type) -> 0 or negative errno. An empty path lets the kernel
// find an abstract name (unix(7), "Autobind feature").
napi_value js_bind_unix(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const int* type = pick(kTypes, args.int32(3));
  if (type == nullptr) return to_js(env, -EINVAL);
  const std::string path = args.string(2);
  Result<sys::SockAddr> address = path.empty()
                                      ? Result<sys::SockAddr>(sys::SockAddr::unnamed_unix())
                                      : sys::SockAddr::from_path(path);
  if (!address.ok()) return context.fail(address.error());
  Result<sys::FileId> file = sys::bind_unix_path(source->fd.get(), *type, address.value());
  if (!file.ok()) return context.fail(file.error());
  context.remember_file(*source, address.value(), file.value());
  return to_js(env, 0);
}

// listen(index, generation, backlog) -> 0 or negative errno.
napi_value js_listen(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Status listening = sys::listen_socket(source->fd.get(), args.int32(2));
  if (listening.ok() && source->kind != reactor::Kind::kListener) {
    context.reactor().forget(*source);
    source->kind = reactor::Kind::kListener;
  }
  return context.outcome(listening);
}

// addressFamily(text) -> 4 or 6 for a literal address, else 0.
napi_value js_address_family(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Result<sys::SockAddr> address = sys::SockAddr::from_literal(args.string(0), 0);
  if (!address.ok()) return to_js(env, 0);
  return to_js(env, address.value().family() == AF_INET ? 4 : 6);
}

// close(index, generation) -> 1, or 0 when it was closed already.
napi_value js_close(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, 0);
  args.context().close(*source);
  return to_js(env, 1);
}

// leave(index, generation): the socket goes out of the reactor, until an operation waits again. As
// nothing tells it any more what is ready, the next operation has to find out.
napi_value js_leave(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr || !source->registered()) return nullptr;
  args.context().reactor().forget(*source);
  source->set(reactor::flag::kReadable | reactor::flag::kWritable);
  return nullptr;
}

// fd(index, generation) -> the descriptor, or -1.
napi_value js_fd(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const reactor::Source* source = source_of(args);
  return to_js(env, source == nullptr ? -1 : source->fd.get());
}

// address(index, generation, peer) -> "host" with the port in kExtra, or a negative errno.
napi_value js_address(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const bool peer = args.boolean(2);
  const int fd = source->fd.get();
  Result<sys::SockAddr> address = [&]() -> Result<sys::SockAddr> {
    if (!peer) return sys::local_address(fd);
    if (source->peer->size == 0) return sys::peer_address(fd);
    return sys::SockAddr::from_raw(source->peer->raw, source->peer->size);
  }();
  if (!address.ok()) return context.fail(address.error());
  context.control(kExtra) = address.value().port();
  return to_js(env, address.value().host());
}

// A Unix socket keeps the name of a peer that is gone; poll(2) knows better. On TCP a hang-up can
// also mean that both sides have ended the stream, which is still a connection.
bool is_connected(const reactor::Source& source) {
  Result<sys::SockAddr> peer = sys::peer_address(source.fd.get());
  if (!peer.ok()) return false;
  if (!peer.value().is_unix()) return true;
  Result<int> events = sys::wait_for(source.fd.get(), 0, 0);
  return events.ok() && (events.value() & POLLHUP) == 0;
}

// isConnected(index, generation) -> 1 while the kernel has a peer, else 0.
napi_value js_is_connected(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const reactor::Source* source = source_of(args);
  return to_js(env, source != nullptr && is_connected(*source) ? 1 : 0);
}

// The option of that number, and what the system calls it.
Result<sys::OptionName> option_at(int32_t index) {
  if (index < 0 || index >= static_cast<int32_t>(sys::Option::kCount)) {
    return Error{EINVAL, Syscall::kNone};
  }
  return sys::option_name(static_cast<sys::Option>(index));
}

// setOption(index, generation, option, value) -> 0 or negative errno.
napi_value js_set_option(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<sys::OptionName> option = option_at(args.int32(2));
  if (!option.ok()) return context.fail(option.error());
  const auto [level, name] = option.value();
  return context.outcome(sys::set_option(source->fd.get(), level, name, args.int32(3)));
}

// getOption(index, generation, option) -> its value, never negative, or negative errno.
napi_value js_get_option(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<sys::OptionName> option = option_at(args.int32(2));
  if (!option.ok()) return context.fail(Error{option.error().code, Syscall::kGetSockOpt});
  const auto [level, name] = option.value();
  Result<int> value = sys::get_option(source->fd.get(), level, name);
  return value.ok() ? to_js(env, value.value()) : context.fail(value.error());
}

// setCongestion(index, generation, name) -> 0 or negative errno.
napi_value js_set_congestion(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  return args.context().outcome(sys::set_congestion_control(source->fd.get(), args.string(2)));
}

// congestion(index, generation) -> the name, or negative errno.
napi_value js_congestion(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<std::string> name = sys::congestion_control(source->fd.get());
  return name.ok() ? to_js(env, name.value()) : args.context().fail(name.error());
}

// setCloseOnExec(index, generation, on) -> 0 or negative errno.
napi_value js_set_close_on_exec(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  return args.context().outcome(sys::set_close_on_exec(source->fd.get(), args.boolean(2)));
}

// closeOnExec(index, generation) -> 1, 0 or negative errno.
napi_value js_close_on_exec(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<bool> on = sys::is_close_on_exec(source->fd.get());
  return on.ok() ? to_js(env, on.value() ? 1 : 0) : args.context().fail(on.error());
}

// tcpInfo(index, generation, figures) -> 0, with a number in each place of the Float64Array that
// lib/constants.ts names (NaN: not told); or negative errno.
napi_value js_tcp_info(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const std::span<double> target = args.doubles(2);
  Result<sys::TcpFigures> figures = sys::tcp_figures(source->fd.get());
  if (!figures.ok()) return args.context().fail(figures.error());
  if (target.size() < figures.value().size()) return to_js(env, -EFAULT);
  std::ranges::copy(figures.value(), target.begin());
  return to_js(env, 0);
}

// peerCredentials(index, generation) -> 0, with pid, uid and gid in kExtra, kExtra2 and kExtra3; or
// negative errno.
napi_value js_peer_credentials(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<sys::Credentials> peer = sys::peer_credentials(source->fd.get());
  if (!peer.ok()) return context.fail(peer.error());
  context.control(kExtra) = peer.value().pid;
  context.control(kExtra2) = static_cast<int32_t>(peer.value().uid);
  context.control(kExtra3) = static_cast<int32_t>(peer.value().gid);
  return to_js(env, 0);
}

}  // namespace

void install_socket(Installer& installer) {
  installer.add("open", js_open);
  installer.add("addressFamily", js_address_family);
  installer.add("pair", js_pair);
  installer.add("fromFd", js_from_fd);
  installer.add("detach", js_detach);
  installer.add("bind", js_bind);
  installer.add("bindUnix", js_bind_unix);
  installer.add("listen", js_listen);
  installer.add("close", js_close);
  installer.add("leave", js_leave);
  installer.add("fd", js_fd);
  installer.add("address", js_address);
  installer.add("isConnected", js_is_connected);
  installer.add("setOption", js_set_option);
  installer.add("getOption", js_get_option);
  installer.add("setCongestion", js_set_congestion);
  installer.add("congestion", js_congestion);
  installer.add("setCloseOnExec", js_set_close_on_exec);
  installer.add("closeOnExec", js_close_on_exec);
  installer.add("tcpInfo", js_tcp_info);
  installer.add("peerCredentials", js_peer_credentials);
}

}  // namespace sock::binding
