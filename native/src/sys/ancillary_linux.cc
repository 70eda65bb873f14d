#include "sys/ancillary.h"

#include <sys/socket.h>

#include <cstring>

namespace sock::sys {

int close_on_exec_flag() {
  return MSG_CMSG_CLOEXEC;
}

size_t credentials_size() {
  return sizeof(ucred);
}

int credentials_type() {
  return SCM_CREDENTIALS;
}

void write_credentials(void* data, const Credentials& credentials) {
  const ucred stated{credentials.pid, credentials.uid, credentials.gid};
  std::memcpy(data, &stated, sizeof(stated));
}

Credentials read_credentials(const void* data) {
  ucred stated{};
  std::memcpy(&stated, data, sizeof(stated));
  return {stated.pid, stated.uid, stated.gid};
}

}  // namespace sock::sys
