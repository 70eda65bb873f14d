#include "sys/multicast.h"

#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "sys/socket_calls.h"

namespace sock::sys {

namespace {

int level_of(int family) {
  return family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

void copy(const SockAddr& address, sockaddr_storage& target) {
  std::memcpy(&target, address.get(), address.size());
}

Status change(int fd, const Membership& membership, int of_group, int of_source) {
  const int level = level_of(membership.group.family());
  int result = 0;
  if (membership.source.size() == 0) {
    group_req request{};
    request.gr_interface = membership.interface;
    copy(membership.group, request.gr_group);
    result = ::setsockopt(fd, level, of_group, &request, sizeof(request));
  } else {
    group_source_req request{};
    request.gsr_interface = membership.interface;
    copy(membership.group, request.gsr_group);
    copy(membership.source, request.gsr_source);
    result = ::setsockopt(fd, level, of_source, &request, sizeof(request));
  }
  if (result < 0) return Error{errno, Syscall::kSetSockOpt};
  return Nothing{};
}

}  // namespace

Status join_group(int fd, const Membership& membership) {
  return change(fd, membership, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP);
}

Status leave_group(int fd, const Membership& membership) {
  return change(fd, membership, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP);
}

uint32_t interface_index(const std::string& name) {
  return name.find('\0') == std::string::npos ? ::if_nametoindex(name.c_str()) : 0;
}

std::string interface_name(uint32_t index) {
  char name[IF_NAMESIZE];
  return ::if_indextoname(index, name) == nullptr ? "" : name;
}

Status set_multicast_interface(int fd, int family, uint32_t interface) {
  if (family == AF_INET6) {
    return set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(interface));
  }
  ip_mreqn request{};
  request.imr_ifindex = static_cast<int>(interface);
  if (::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)) < 0) {
    return Error{errno, Syscall::kSetSockOpt};
  }
  return Nothing{};
}

}  // namespace sock::sys
