// Who is at the other end of a Unix socket, as the kernel noted when the connection was made.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace sock::sys {

struct Credentials {
  pid_t pid = 0;  // 0: not told, or not visible from here
  uid_t uid = 0;
  gid_t gid = 0;
};

// ENOTCONN where there is no such peer.
Result<Credentials> peer_credentials(int fd);

}  // namespace sock::sys
