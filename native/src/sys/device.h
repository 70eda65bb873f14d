// Keeping a socket to one network device.
#pragma once

#include <string>

#include "base/result.h"

namespace sock::sys {

// Everything goes by this device only; an empty name: by any. ENOPROTOOPT where there is no such
// option.
Status bind_to_device(int fd, const std::string& name);
Result<std::string> bound_device(int fd);

}  // namespace sock::sys
