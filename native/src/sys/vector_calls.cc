#include "sys/vector_calls.h"

#include <cerrno>

#include "sys/retry.h"

namespace sock::sys {

msghdr header_of(std::span<iovec> parts) {
  msghdr message{};
  message.msg_iov = parts.data();
  // size_t on Linux, int on the BSDs.
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(parts.size());
  return message;
}

size_t size_of(std::span<const iovec> parts) {
  size_t size = 0;
  for (const iovec& part : parts) size += part.iov_len;
  return size;
}

IoResult receive_vector(int fd, std::span<iovec> parts) {
  msghdr message = header_of(parts);
  const ssize_t count = retry([&] { return ::recvmsg(fd, &message, MSG_DONTWAIT); });
  return count >= 0 ? count : -errno;
}

IoResult send_vector(int fd, std::span<iovec> parts) {
  const msghdr message = header_of(parts);
  const ssize_t count = retry([&] { return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
  return count >= 0 ? count : -errno;
}

}  // namespace sock::sys
