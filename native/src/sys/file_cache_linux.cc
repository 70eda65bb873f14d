#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "sys/file_calls.h"

namespace sock::sys {

namespace {

// preadv2(2) with RWF_NOWAIT reads what needs no waiting. By number: musl has had no function of
// that name until lately.
bool is_byte_cached(int file, uint64_t offset) {
  char byte = 0;
  iovec place{&byte, 1};
  const auto low = static_cast<unsigned long>(offset);         // NOLINT: the kernel's own type
  const auto high = static_cast<unsigned long>(offset >> 32);  // NOLINT
  return ::syscall(SYS_preadv2, file, &place, 1UL, low, high, RWF_NOWAIT) >= 0;
}

}  // namespace

bool is_cached(int file, uint64_t offset, size_t size, size_t step) {
  for (size_t at = 0; at < size; at += step) {
    if (!is_byte_cached(file, offset + at)) return false;
  }
  return true;
}

}  // namespace sock::sys
