#include <cerrno>

#include "sys/tcp_info.h"

namespace sock::sys {

// Each of them has a structure of its own under the same name.
Result<TcpFigures> tcp_figures(int) {
  return Error{ENOPROTOOPT, Syscall::kGetSockOpt};
}

}  // namespace sock::sys
