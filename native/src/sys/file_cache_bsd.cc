#include <algorithm>
#include <array>
#include <cstddef>

#include "sys/file_calls.h"

namespace sock::sys {

bool is_cached(int, uint64_t, size_t, size_t) {
  return false;
}

// There is no advice to be given everywhere, so the bytes are read, to no other use.
void fetch(int file, uint64_t offset, size_t size) {
  std::array<std::byte, 64 * 1024> block;
  for (size_t done = 0; done < size;) {
    const size_t want = std::min(size - done, block.size());
    const IoResult count = read_at(file, offset + done, block.data(), want);
    if (count <= 0) return;
    done += static_cast<size_t>(count);
  }
}

}  // namespace sock::sys
