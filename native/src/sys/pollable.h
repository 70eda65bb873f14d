// What every poller refuses alike, though only epoll's kernel does so by itself.
#pragma once

#include "base/result.h"

namespace sock::sys {

// EBADF for what is no open descriptor, EPERM for a regular file or folder: they are always ready.
Status check_pollable(int fd);

}  // namespace sock::sys
