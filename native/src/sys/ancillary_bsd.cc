#include "sys/ancillary.h"

#include <sys/socket.h>

namespace sock::sys {

int close_on_exec_flag() {
#ifdef MSG_CMSG_CLOEXEC
  return MSG_CMSG_CLOEXEC;
#else
  return 0;  // macOS
#endif
}

// SCM_CREDS of the BSDs cannot be stated by the sender, and each lays it out in a way of its own.
size_t credentials_size() {
  return 0;
}

int credentials_type() {
  return -1;
}

void write_credentials(void*, const Credentials&) {}

Credentials read_credentials(const void*) {
  return {};
}

}  // namespace sock::sys
