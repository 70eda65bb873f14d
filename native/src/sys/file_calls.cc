#include "sys/file_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "sys/retry.h"

namespace sock::sys {

Result<UniqueFd> open_file(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int fd = retry([&] { return ::open(path.c_str(), kFlags); });
  if (fd < 0) return Error{errno, Syscall::kOpen};
  return UniqueFd(fd);
}

Result<UniqueFd> duplicate_file(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return Error{errno, Syscall::kFcntl};
  return UniqueFd(copy);
}

Result<uint64_t> file_size(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) < 0) return Error{errno, Syscall::kFstat};
  if (!S_ISREG(status.st_mode)) return Error{EINVAL, Syscall::kSendFile};
  return static_cast<uint64_t>(status.st_size);
}

IoResult read_at(int file, uint64_t offset, void* data, size_t size) {
  const ssize_t count =
      retry([&] { return ::pread(file, data, size, static_cast<off_t>(offset)); });
  return count >= 0 ? count : -errno;
}

}  // namespace sock::sys
