#include <fcntl.h>
#include <unistd.h>

#include "sys/new_descriptors.h"

namespace sock::sys {

int new_socket(int family, int type) {
  return ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int new_socket_pair(int type, int (&fds)[2]) {
  return ::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
}

int new_connection(int listener, sockaddr* peer, socklen_t* size) {
  return ::accept4(listener, peer, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int new_pipe(int (&fds)[2]) {
  return ::pipe2(fds, O_CLOEXEC | O_NONBLOCK);
}

}  // namespace sock::sys
