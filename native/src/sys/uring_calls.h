// The system calls of io_uring(7), for which the C library has no functions. Linux only.
#pragma once

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/result.h"
#include "sys/retry.h"
#include "sys/unique_fd.h"

namespace sock::sys {

inline Result<UniqueFd> uring_setup(uint32_t entries, io_uring_params& params) {
  const long fd = ::syscall(__NR_io_uring_setup, entries, &params);
  if (fd < 0) return Error{errno, Syscall::kIoUringSetup};
  return UniqueFd(static_cast<int>(fd));
}

inline Status uring_register(int fd, unsigned operation, const void* argument, unsigned count) {
  const long result =
      retry([&] { return ::syscall(__NR_io_uring_register, fd, operation, argument, count); });
  if (result < 0) return Error{errno, Syscall::kIoUringRegister};
  return Nothing{};
}

// How many requests the kernel took.
inline Result<uint32_t> uring_enter(int fd, uint32_t submit_count, unsigned flags) {
  const long count =
      retry([&] { return ::syscall(__NR_io_uring_enter, fd, submit_count, 0, flags, nullptr, 0); });
  if (count < 0) return Error{errno, Syscall::kIoUringEnter};
  return static_cast<uint32_t>(count);
}

}  // namespace sock::sys
