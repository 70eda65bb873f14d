// The two flags of a descriptor that matter when it is handed on: whether it survives exec(2), and
// whether calls on it wait. The second belongs to the open file, so every duplicate has it too.
#pragma once

#include "base/result.h"

namespace sock::sys {

Result<bool> is_close_on_exec(int fd);
Status set_close_on_exec(int fd, bool on);
Status set_non_blocking(int fd, bool on);

}  // namespace sock::sys
