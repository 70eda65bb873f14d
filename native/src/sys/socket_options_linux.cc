#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sys/socket_options.h"

namespace sock::sys {

namespace {

constexpr OptionName kNames[] = {
    {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_REUSEPORT},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_IPV6, IPV6_V6ONLY},
    {SOL_SOCKET, SO_ACCEPTCONN},
    {SOL_SOCKET, SO_KEEPALIVE},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {SOL_SOCKET, SO_RCVBUF},
    {SOL_SOCKET, SO_SNDBUF},
    {IPPROTO_TCP, TCP_FASTOPEN},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {SOL_SOCKET, SO_PROTOCOL},
    {SOL_SOCKET, SO_PASSCRED},
};
static_assert(std::size(kNames) == static_cast<size_t>(Option::kCount));

// TCP_CA_NAME_MAX of the kernel, the final NUL included.
constexpr size_t kCongestionNameMax = 16;

}  // namespace

Result<OptionName> option_name(Option option) {
  return kNames[static_cast<size_t>(option)];
}

Result<std::string> congestion_control(int fd) {
  char name[kCongestionNameMax] = {};
  socklen_t size = sizeof(name);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) < 0) {
    return Error{errno, Syscall::kGetSockOpt};
  }
  return std::string(name, ::strnlen(name, size));
}

Status set_congestion_control(int fd, const std::string& name) {
  const auto size = static_cast<socklen_t>(name.size());
  if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), size) < 0) {
    return Error{errno, Syscall::kSetSockOpt};
  }
  return Nothing{};
}

}  // namespace sock::sys
