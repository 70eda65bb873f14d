#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sys/socket_options.h"

namespace sock::sys {

namespace {

// IPV6_MULTICAST_ALL of linux/in6.h, which cannot stand beside netinet/in.h.
constexpr int kIpv6MulticastAll = 29;

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
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_TIMESTAMPNS},
    {SOL_SOCKET, SO_RXQ_OVFL},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, IP_MULTICAST_TTL},
    {IPPROTO_IP, IP_MULTICAST_LOOP},
    {IPPROTO_IP, IP_MULTICAST_ALL},
    {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_RECVTOS},
    {IPPROTO_IP, IP_RECVTTL},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_MTU_DISCOVER},
    {IPPROTO_IP, IP_MTU},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    {IPPROTO_IPV6, kIpv6MulticastAll},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_RECVTCLASS},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
    {IPPROTO_IPV6, IPV6_RECVERR},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_IPV6, IPV6_MTU},
    {IPPROTO_UDP, UDP_GRO},
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
