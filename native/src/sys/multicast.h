// Groups, and the interfaces that they are joined on (RFC 3678).
#pragma once

#include <string>

#include "base/result.h"
#include "sys/sockaddr.h"

namespace sock::sys {

struct Membership {
  SockAddr group;
  SockAddr source;         // of the group's family, or none: everybody's datagrams
  uint32_t interface = 0;  // 0: the system chooses
};

Status join_group(int fd, const Membership& membership);
Status leave_group(int fd, const Membership& membership);

// Where datagrams to groups leave from; 0: the system chooses.
Status set_multicast_interface(int fd, int family, uint32_t interface);

// 0 when there is none of that name.
uint32_t interface_index(const std::string& name);
// Empty when there is none of that number.
std::string interface_name(uint32_t index);

}  // namespace sock::sys
