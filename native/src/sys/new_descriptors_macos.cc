#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "sys/new_descriptors.h"
#include "sys/unique_fd.h"

namespace sock::sys {

namespace {

bool set_up(int fd) {
  return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

// writev(2) and sendfile(2) take no MSG_NOSIGNAL. A connection that was reset before it could be
// accepted refuses the option (EINVAL), and is told of by the first call that uses it.
bool set_up_socket(int fd) {
  const int on = 1;
  (void)::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
  return set_up(fd);
}

// The descriptor, or −1 with the errno of what failed.
int finished(int fd, bool is_set_up) {
  UniqueFd owner(fd);
  if (is_set_up) return owner.release();
  const int error = errno;
  owner.reset();
  errno = error;
  return -1;
}

int finished(int (&fds)[2], bool is_set_up) {
  const int error = errno;
  for (const int fd : fds) {
    errno = error;
    (void)finished(fd, is_set_up);
  }
  return is_set_up ? 0 : -1;
}

}  // namespace

int new_socket(int family, int type) {
  const int fd = ::socket(family, type, 0);
  return fd < 0 ? -1 : finished(fd, set_up_socket(fd));
}

int new_socket_pair(int type, int (&fds)[2]) {
  if (::socketpair(AF_UNIX, type, 0, fds) < 0) return -1;
  return finished(fds, set_up_socket(fds[0]) && set_up_socket(fds[1]));
}

int new_connection(int listener, sockaddr* peer, socklen_t* size) {
  const int fd = ::accept(listener, peer, size);
  return fd < 0 ? -1 : finished(fd, set_up_socket(fd));
}

int new_pipe(int (&fds)[2]) {
  if (::pipe(fds) < 0) return -1;
  return finished(fds, set_up(fds[0]) && set_up(fds[1]));
}

}  // namespace sock::sys
