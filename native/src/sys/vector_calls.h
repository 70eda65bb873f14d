// Gathering sends and scattering receives: one call for memory that lies in several places.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

#include "sys/socket_calls.h"

namespace sock::sys {

// IOV_MAX of Linux and the BSDs; POSIX promises only 16, and limits.h need not have the name.
inline constexpr size_t kVectorMax = 1024;

// What sendmsg(2) and recvmsg(2) take, with nothing but these places in it.
msghdr header_of(std::span<iovec> parts);

// How many bytes lie in all of them.
size_t size_of(std::span<const iovec> parts);

// As receive() and send(). Not readv(2) and writev(2): those take no flags, and a broken connection
// would raise SIGPIPE.
IoResult receive_vector(int fd, std::span<iovec> parts);
IoResult send_vector(int fd, std::span<iovec> parts);

}  // namespace sock::sys
