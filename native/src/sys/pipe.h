// A close-on-exec, non-blocking pipe.
#pragma once

#include "base/result.h"
#include "sys/socket_calls.h"

namespace sock::sys {

// `first` is the reading end, `second` the writing one.
Result<FdPair> open_pipe();

}  // namespace sock::sys
