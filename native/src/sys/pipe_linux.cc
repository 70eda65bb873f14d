#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "sys/pipe.h"

namespace sock::sys {

Result<FdPair> open_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return Error{errno, Syscall::kPipe};
  return FdPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace sock::sys
