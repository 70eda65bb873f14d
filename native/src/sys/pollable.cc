#include "sys/pollable.h"

#include <sys/stat.h>

#include <cerrno>

namespace sock::sys {

Status check_pollable(int fd) {
  struct stat about;
  if (::fstat(fd, &about) < 0) return Error{errno, Syscall::kFstat};
  if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode)) return Error{EPERM, Syscall::kPoll};
  return Nothing{};
}

}  // namespace sock::sys
