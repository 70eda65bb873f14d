// System calls by number. Sanitizers know them by libc's functions, which they replace, so with one
// of them it is those.
#include "sys/uncancelled.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sock::sys::uncancelled {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

ssize_t recv(int fd, void* data, size_t size, int flags) {
  return ::recv(fd, data, size, flags);
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  return ::send(fd, data, size, flags);
}

int close(int fd) {
  return ::close(fd);
}

#else

ssize_t recv(int fd, void* data, size_t size, int flags) {
  return ::syscall(SYS_recvfrom, fd, data, size, flags, nullptr, nullptr);
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  return ::syscall(SYS_sendto, fd, data, size, flags, nullptr, 0);
}

int close(int fd) {
  return static_cast<int>(::syscall(SYS_close, fd));
}

#endif

}  // namespace sock::sys::uncancelled
