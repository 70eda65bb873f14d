// Files that are read at explicit positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "sys/socket_calls.h"
#include "sys/unique_fd.h"

namespace sock::sys {

// For reading. Does not wait for a writer of a FIFO.
Result<UniqueFd> open_file(const std::string& path);
// Another descriptor of the same file, so that the number can be closed, and used again for
// something else, without harm.
Result<UniqueFd> duplicate_file(int fd);
// The size of a regular file; anything else is EINVAL. Some file systems say 0 for files that have
// content all the same, such as /proc.
Result<uint64_t> file_size(int fd);
// pread(2): a count, 0 at the end, or a negative errno.
IoResult read_at(int file, uint64_t offset, void* data, size_t size);
// Whether reading the range would find it in memory, by what the kernel can be asked for little:
// where it does not count what it has of the whole, one probe at the end of each `step` bytes of
// it. False where it cannot be asked.
bool is_cached(int file, uint64_t offset, size_t size, size_t step);
// Has the range read into memory, and waits for it. What goes wrong is left for others to meet.
void fetch(int file, uint64_t offset, size_t size);

}  // namespace sock::sys
