// Descriptors that are close-on-exec and non-blocking from birth, where the system can do so:
// everywhere but on macOS, where a fork of another thread can come in between. As the calls they
// are named after, each returns −1 with errno set when it fails.
#pragma once

#include <sys/socket.h>

namespace sock::sys {

int new_socket(int family, int type);
int new_socket_pair(int type, int (&fds)[2]);
int new_connection(int listener, sockaddr* peer, socklen_t* size);
int new_pipe(int (&fds)[2]);

}  // namespace sock::sys
