// What stands beside a datagram (cmsg(3)), which no two systems spell alike.
#pragma once

#include <sys/socket.h>

#include <cstddef>

#include "sys/datagram_entry.h"

namespace sock::sys {

// Enough for everything that one datagram can bring, or take along.
inline constexpr size_t kDatagramControlMax = 256;

// What the entry asks for, into memory of kDatagramControlMax bytes aligned for a cmsghdr; how many
// it took. `segment` is more than 0 where the kernel is to cut the bytes.
size_t write_datagram_control(const DatagramEntry& entry, int segment, std::byte* control);

// What came, into the entry and its flags.
void read_datagram_control(msghdr& message, DatagramEntry& entry);

}  // namespace sock::sys
