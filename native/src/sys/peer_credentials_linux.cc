#include <sys/socket.h>

#include <cerrno>

#include "sys/peer_credentials.h"

namespace sock::sys {

Result<Credentials> peer_credentials(int fd) {
  ucred found{};
  socklen_t size = sizeof(found);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &size) < 0) {
    return Error{errno, Syscall::kGetSockOpt};
  }
  // Any socket answers; one without a peer whose credentials were noted has nobody's.
  if (found.uid == static_cast<uid_t>(-1)) return Error{ENOTCONN, Syscall::kGetSockOpt};
  return Credentials{found.pid, found.uid, found.gid};
}

}  // namespace sock::sys
