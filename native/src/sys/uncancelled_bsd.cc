#include "sys/uncancelled.h"

#include <sys/socket.h>
#include <unistd.h>

namespace sock::sys::uncancelled {

ssize_t recv(int fd, void* data, size_t size, int flags) {
  return ::recv(fd, data, size, flags);
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  return ::send(fd, data, size, flags);
}

int close(int fd) {
  return ::close(fd);
}

}  // namespace sock::sys::uncancelled
