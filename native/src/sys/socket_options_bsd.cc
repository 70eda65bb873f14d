#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "sys/socket_options.h"

#if defined(TCP_KEEPALIVE) && !defined(TCP_KEEPIDLE)
#define TCP_KEEPIDLE TCP_KEEPALIVE  // macOS
#endif

namespace sock::sys {

Result<OptionName> option_name(Option option) {
  switch (option) {
    case Option::kReuseAddr:
      return OptionName{SOL_SOCKET, SO_REUSEADDR};
    case Option::kReusePort:
      return OptionName{SOL_SOCKET, SO_REUSEPORT};
    case Option::kNoDelay:
      return OptionName{IPPROTO_TCP, TCP_NODELAY};
    case Option::kIpv6Only:
      return OptionName{IPPROTO_IPV6, IPV6_V6ONLY};
    case Option::kAcceptConn:
      return OptionName{SOL_SOCKET, SO_ACCEPTCONN};
    case Option::kKeepAlive:
      return OptionName{SOL_SOCKET, SO_KEEPALIVE};
    case Option::kKeepIdle:
      return OptionName{IPPROTO_TCP, TCP_KEEPIDLE};
    case Option::kKeepInterval:
      return OptionName{IPPROTO_TCP, TCP_KEEPINTVL};
    case Option::kKeepCount:
      return OptionName{IPPROTO_TCP, TCP_KEEPCNT};
    case Option::kRecvBuffer:
      return OptionName{SOL_SOCKET, SO_RCVBUF};
    case Option::kSendBuffer:
      return OptionName{SOL_SOCKET, SO_SNDBUF};
    case Option::kBroadcast:
      return OptionName{SOL_SOCKET, SO_BROADCAST};
    case Option::kTos:
      return OptionName{IPPROTO_IP, IP_TOS};
    case Option::kTtl:
      return OptionName{IPPROTO_IP, IP_TTL};
    case Option::kHopLimit:
      return OptionName{IPPROTO_IPV6, IPV6_UNICAST_HOPS};
    case Option::kMulticastHops:
      return OptionName{IPPROTO_IPV6, IPV6_MULTICAST_HOPS};
    case Option::kMulticastLoopback6:
      return OptionName{IPPROTO_IPV6, IPV6_MULTICAST_LOOP};
    default:
      // TCP_FASTOPEN is a switch there, not the length of a queue.
      return Error{ENOPROTOOPT, Syscall::kSetSockOpt};
  }
}

Result<std::string> congestion_control(int) {
  return Error{ENOPROTOOPT, Syscall::kGetSockOpt};
}

Status set_congestion_control(int, const std::string&) {
  return Error{ENOPROTOOPT, Syscall::kSetSockOpt};
}

}  // namespace sock::sys
