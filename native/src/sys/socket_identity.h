// What a descriptor is that somebody else has made.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "sys/sockaddr.h"

namespace sock::sys {

// The order is mirrored by `roles` in lib/constants.ts.
enum class Role : uint8_t { kNew, kConnecting, kConnected, kListening };

struct Identity {
  int family = 0;       // AF_INET, AF_INET6 or AF_UNIX
  int type = 0;         // SOCK_STREAM, SOCK_DGRAM, or SOCK_SEQPACKET of AF_UNIX
  bool is_tcp = false;  // not MPTCP, or whatever else carries streams
  Role role = Role::kNew;
  InetName peer;
};

// Changes nothing. EBADF and ENOTSOCK as they are; EPROTOTYPE for a raw socket and the like,
// EAFNOSUPPORT for one of another family.
Result<Identity> identify(int fd);

}  // namespace sock::sys
