#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include "sys/send_room.h"

namespace sock::sys {

size_t send_room(int fd) {
  uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof(memory);
  if (::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0) return 0;
  // TCP counts what is queued; Unix sockets, what was allocated.
  const uint32_t used = std::max(memory[SK_MEMINFO_WMEM_QUEUED], memory[SK_MEMINFO_WMEM_ALLOC]);
  const uint32_t limit = memory[SK_MEMINFO_SNDBUF];
  return limit > used ? limit - used : 0;
}

}  // namespace sock::sys
