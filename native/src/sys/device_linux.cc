#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

#include "sys/device.h"

namespace sock::sys {

Status bind_to_device(int fd, const std::string& name) {
  const auto size = static_cast<socklen_t>(name.size());
  if (::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name.c_str(), size) < 0) {
    return Error{errno, Syscall::kSetSockOpt};
  }
  return Nothing{};
}

Result<std::string> bound_device(int fd) {
  char name[IF_NAMESIZE] = {};
  socklen_t size = sizeof(name);
  if (::getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size) < 0) {
    return Error{errno, Syscall::kGetSockOpt};
  }
  return std::string(name);
}

}  // namespace sock::sys
