// Asks the kernel who holds the file of a Unix socket.
#pragma once

#include "sys/unix_path.h"

namespace sock::sys {

enum class Holder : uint8_t { kNobody, kSomebody, kUnknown };

// Whether a socket that could still be reached through the file is open anywhere, bound or
// listening. Sees the sockets of this network namespace only. kUnknown where the kernel does not
// tell.
Holder find_holder(const FileId& file);

}  // namespace sock::sys
