// Systems without io_uring, or whose headers are older than what we need of it.
#include <cerrno>

#include "reactor/ring.h"

namespace sock::reactor {

Result<std::unique_ptr<Ring>> make_ring(const RingConfig&) {
  return Error{ENOSYS, Syscall::kIoUringSetup};
}

}  // namespace sock::reactor
