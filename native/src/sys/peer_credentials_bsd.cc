#include <unistd.h>

#include <cerrno>

#include "sys/peer_credentials.h"

namespace sock::sys {

Result<Credentials> peer_credentials(int fd) {
  Credentials found;
  if (::getpeereid(fd, &found.uid, &found.gid) < 0) return Error{errno, Syscall::kGetSockOpt};
  return found;
}

}  // namespace sock::sys
