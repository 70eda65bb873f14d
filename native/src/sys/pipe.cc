#include "sys/pipe.h"

#include <unistd.h>

#include <cerrno>

#include "sys/new_descriptors.h"
#include "sys/retry.h"

namespace sock::sys {

Result<FdPair> open_pipe() {
  int fds[2];
  if (new_pipe(fds) < 0) return Error{errno, Syscall::kPipe};
  return FdPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

IoResult read_pipe(int fd, void* data, size_t size) {
  const ssize_t count = retry([&] { return ::read(fd, data, size); });
  return count >= 0 ? count : -errno;
}

}  // namespace sock::sys
