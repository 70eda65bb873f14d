#include <cerrno>

#include "sys/error_queue.h"

namespace sock::sys {

IoResult receive_error(int, void*, size_t, QueuedError&) {
  return -EAGAIN;
}

}  // namespace sock::sys
