// How much more a socket's buffer would take.
#pragma once

#include <cstddef>

namespace sock::sys {

// By the kernel's own account, in which bytes weigh a little more than they are. A send of three
// quarters of it is taken whole, unless the kernel runs short of memory for sockets meanwhile. 0
// where it does not tell.
size_t send_room(int fd);

}  // namespace sock::sys
