#include <cerrno>

#include "sys/device.h"

namespace sock::sys {

Status bind_to_device(int, const std::string&) {
  return Error{ENOPROTOOPT, Syscall::kSetSockOpt};
}

Result<std::string> bound_device(int) {
  return Error{ENOPROTOOPT, Syscall::kGetSockOpt};
}

}  // namespace sock::sys
