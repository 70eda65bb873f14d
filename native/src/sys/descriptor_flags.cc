#include "sys/descriptor_flags.h"

#include <fcntl.h>

#include <cerrno>

namespace sock::sys {

namespace {

Status set_flag(int fd, int get, int set, int flag, bool on) {
  const int before = ::fcntl(fd, get);
  if (before < 0) return Error{errno, Syscall::kFcntl};
  const int after = on ? before | flag : before & ~flag;
  if (after != before && ::fcntl(fd, set, after) < 0) return Error{errno, Syscall::kFcntl};
  return Nothing{};
}

}  // namespace

Result<bool> is_close_on_exec(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0) return Error{errno, Syscall::kFcntl};
  return (flags & FD_CLOEXEC) != 0;
}

Status set_close_on_exec(int fd, bool on) {
  return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

Status set_non_blocking(int fd, bool on) {
  return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

}  // namespace sock::sys
