// What became of datagrams that were sent earlier (ip(7), IP_RECVERR).
#pragma once

#include "sys/socket_calls.h"

namespace sock::sys {

struct QueuedError {
  int code = 0;          // errno
  int origin = 0;        // of the kernel: 1 this host, 2 ICMP, 3 ICMPv6
  int type = 0;          // of the ICMP message
  int icmp_code = 0;     // of the ICMP message
  uint32_t info = 0;     // of EMSGSIZE, the path's MTU
  SockAddr destination;  // where the datagram was sent
  SockAddr offender;     // who says so; of size 0 when nobody is known
};

// The oldest, with the front of the datagram that it is about: bytes, or a negative errno (EAGAIN
// when there is none).
IoResult receive_error(int fd, void* data, size_t size, QueuedError& error);

}  // namespace sock::sys
