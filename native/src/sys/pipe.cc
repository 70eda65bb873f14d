#include "sys/pipe.h"

#include <unistd.h>

#include <cerrno>

#include "sys/retry.h"

namespace sock::sys {

IoResult read_pipe(int fd, void* data, size_t size) {
  const ssize_t count = retry([&] { return ::read(fd, data, size); });
  return count >= 0 ? count : -errno;
}

}  // namespace sock::sys
