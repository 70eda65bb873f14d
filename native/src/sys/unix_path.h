// Unix sockets that have a name in the file system: the file outlives the socket, so a crashed
// server leaves one behind that stands in the way of the next.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "sys/sockaddr.h"

namespace sock::sys {

// Which file a name led to. All zero: none.
struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;

  bool exists() const { return inode != 0; }
  bool operator==(const FileId&) const = default;
};

// bind(2) that replaces a stale socket file, and nothing else: a socket that somebody still holds,
// whether it listens or not, any other kind of file, and a symbolic link are EADDRINUSE. Returns
// the file that was made, for unlink_if_ours(). Addresses without a file (abstract names, other
// families) are bound as they are.
//
// May wait for some milliseconds while another process binds in the same directory.
Result<FileId> bind_unix_path(int fd, int type, const SockAddr& address);

// Removes the file that bind_unix_path() made, unless it is gone or replaced. To be called while
// the socket is still open: until then nobody takes the file for a stale one, and the number of its
// inode cannot be given to another file.
Status unlink_if_ours(const SockAddr& address, const FileId& file);

}  // namespace sock::sys
