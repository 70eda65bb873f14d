#include "sys/socket_identity.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "sys/socket_calls.h"
#include "sys/socket_options.h"
#include "sys/tcp_info.h"

namespace sock::sys {

namespace {

// TCP_SYN_SENT of the kernel.
constexpr double kSynSent = 2;

bool is_plain_tcp(int fd) {
  Result<OptionName> option = option_name(Option::kProtocol);
  if (!option.ok()) return true;
  Result<int> protocol = get_option(fd, option.value().level, option.value().name);
  return protocol.ok() && protocol.value() == IPPROTO_TCP;
}

bool is_connecting(int fd) {
  Result<TcpFigures> figures = tcp_figures(fd);
  return figures.ok() && figures.value()[static_cast<size_t>(TcpFigure::kState)] == kSynSent;
}

Role role_of(int fd, bool is_tcp, InetName& peer) {
  Result<int> listens = get_option(fd, SOL_SOCKET, SO_ACCEPTCONN);
  if (listens.ok() && listens.value() != 0) return Role::kListening;
  Result<SockAddr> connected = peer_address(fd);
  if (connected.ok()) {
    peer = connected.value().inet_name();
    return Role::kConnected;
  }
  return is_tcp && is_connecting(fd) ? Role::kConnecting : Role::kNew;
}

}  // namespace

Result<Identity> identify(int fd) {
  Result<int> type = get_option(fd, SOL_SOCKET, SO_TYPE);
  if (!type.ok()) return type.error();
  Result<SockAddr> address = local_address(fd);
  if (!address.ok()) return address.error();
  Identity found;
  found.family = address.value().family();
  found.type = type.value();
  if (found.family != AF_INET && found.family != AF_INET6 && found.family != AF_UNIX) {
    return Error{EAFNOSUPPORT, Syscall::kNone};
  }
  const bool is_messages = found.type == SOCK_SEQPACKET && found.family == AF_UNIX;
  const bool is_known = found.type == SOCK_STREAM || found.type == SOCK_DGRAM || is_messages;
  if (!is_known) return Error{EPROTOTYPE, Syscall::kNone};
  found.is_tcp = found.family != AF_UNIX && found.type == SOCK_STREAM && is_plain_tcp(fd);
  found.role = role_of(fd, found.is_tcp, found.peer);
  return found;
}

}  // namespace sock::sys
