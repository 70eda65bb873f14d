#include "sys/error_queue.h"

// First, as the kernel's header below needs timespec.
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "sys/retry.h"

namespace sock::sys {

namespace {

// An extended error, the address behind it, and what else may be asked for.
constexpr size_t kControlMax = 512;

bool is_error(const cmsghdr& header) {
  return (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_RECVERR) ||
         (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_RECVERR);
}

void read_error(const cmsghdr& header, QueuedError& error) {
  sock_extended_err told{};
  const unsigned char* const data = CMSG_DATA(&header);
  std::memcpy(&told, data, sizeof(told));
  error.code = static_cast<int>(told.ee_errno);
  error.origin = told.ee_origin;
  error.type = told.ee_type;
  error.icmp_code = told.ee_code;
  error.info = told.ee_info;
  sockaddr offender{};
  std::memcpy(&offender, data + sizeof(told), sizeof(offender.sa_family));
  if (offender.sa_family == AF_INET) {
    error.offender = SockAddr::from_raw(data + sizeof(told), sizeof(sockaddr_in));
  } else if (offender.sa_family == AF_INET6) {
    error.offender = SockAddr::from_raw(data + sizeof(told), sizeof(sockaddr_in6));
  }
}

}  // namespace

IoResult receive_error(int fd, void* data, size_t size, QueuedError& error) {
  alignas(cmsghdr) std::byte control[kControlMax];
  iovec part{data, size};
  msghdr message{};
  const ssize_t count = retry([&] {
    message.msg_name = error.destination.out();
    message.msg_namelen = *error.destination.size_out();
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    return ::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  });
  if (count < 0) return -errno;
  *error.destination.size_out() = message.msg_namelen;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (is_error(*header)) read_error(*header, error);
  }
  return count;
}

}  // namespace sock::sys
