#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "sys/file_calls.h"

namespace sock::sys {

namespace {

// Half of what the kernel reads ahead unless told otherwise (read_ahead_kb).
constexpr size_t kFetchStep = 64 * 1024;

// preadv2(2) with RWF_NOWAIT reads what needs no waiting. By number: musl has had no function of
// that name until lately.
bool is_byte_cached(int file, uint64_t offset) {
  char byte = 0;
  iovec place{&byte, 1};
  const auto low = static_cast<unsigned long>(offset);         // NOLINT: the kernel's own type
  const auto high = static_cast<unsigned long>(offset >> 32);  // NOLINT
  return ::syscall(SYS_preadv2, file, &place, 1UL, low, high, RWF_NOWAIT) >= 0;
}

// By number and shape, since 6.5 has it and the headers may be older.
constexpr long kCacheStat = 451;  // NOLINT: the kernel's own type
struct CacheRange {
  uint64_t offset;
  uint64_t size;
};
struct CachedPages {
  uint64_t cached, dirty, in_writeback, evicted, recently_evicted;
};

// cachestat(2) counts what 4 MiB of it has in half a microsecond; a probe of one byte takes one.
// False also where the kernel is older, or does not tell who may not write to the file.
bool is_all_counted(int file, uint64_t offset, size_t size) {
  static const auto page_size = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  CacheRange range{offset, size};
  CachedPages pages{};
  if (::syscall(kCacheStat, file, &range, &pages, 0U) != 0) return false;
  return pages.cached == (offset + size - 1) / page_size - offset / page_size + 1;
}

}  // namespace

bool is_cached(int file, uint64_t offset, size_t size, size_t step) {
  // A page counts from when its reading begins: the last to be read tells whether it is over.
  if (is_all_counted(file, offset, size)) return is_byte_cached(file, offset + size - 1);
  for (size_t at = 0; at < size; at += step) {
    if (!is_byte_cached(file, offset + std::min(at + step, size) - 1)) return false;
  }
  return true;
}

// Copying it all would take more of the processor than the sending does.
void fetch(int file, uint64_t offset, size_t size) {
  (void)::posix_fadvise(file, static_cast<off_t>(offset), static_cast<off_t>(size),
                        POSIX_FADV_WILLNEED);
  // A byte at the end of each block waits for it, and brings it where the advice was not taken.
  for (size_t at = 0; at < size; at += kFetchStep) {
    char byte = 0;
    if (read_at(file, offset + std::min(at + kFetchStep, size) - 1, &byte, 1) < 0) return;
  }
}

}  // namespace sock::sys
