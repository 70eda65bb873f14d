// A close-on-exec, non-blocking pipe.
#pragma once

#include "base/result.h"
#include "sys/socket_calls.h"

namespace sock::sys {

// `first` is the reading end, `second` the writing one.
Result<FdPair> open_pipe();

// A count, 0 when nobody can write any more, or a negative errno.
IoResult read_pipe(int fd, void* data, size_t size);

}  // namespace sock::sys
