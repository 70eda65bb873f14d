// The socket calls, one function each: EINTR never leaves here, SIGPIPE never fires, and every
// descriptor is close-on-exec and non-blocking from birth.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "sys/sockaddr.h"
#include "sys/unique_fd.h"

namespace sock::sys {

// Bytes moved, or a negative errno. The hot calls use it instead of Result: it fits a register.
using IoResult = int64_t;

struct FdPair {
  UniqueFd first;
  UniqueFd second;
};

Result<UniqueFd> open_socket(int family, int type);
Result<FdPair> open_pair(int type);
Status bind_socket(int fd, const SockAddr& address);
Status listen_socket(int fd, int backlog);
// Connections that died in the queue (ECONNABORTED, and the network errors that accept(2) says to
// treat like EAGAIN) are skipped; an empty queue is EAGAIN.
Result<UniqueFd> accept_socket(int fd, SockAddr* peer);
// EINPROGRESS is an error here like any other: the caller knows what it means.
Status connect_socket(int fd, const SockAddr& address);
// Dissolves a connection, or an attempt at one; a bound socket stays bound. TCP on Linux only.
Status disconnect_socket(int fd);
Status shutdown_socket(int fd, int how);
// Closes a connection of which nothing is to stay: TCP resets it, and keeps no state of it here.
void abort_connection(UniqueFd socket);

IoResult receive(int fd, void* data, size_t size);
// What the caller knows of the bytes behind those of a send. With more to come at once the kernel
// may put off the last packet for them; what never comes delays it by a fifth of a second.
enum class Follows { kNothing, kMore };
IoResult send(int fd, const void* data, size_t size, Follows follows = Follows::kNothing);
// What a receive would find, which this leaves where it is: 1 byte, 0 at the end of the stream, or
// a negative errno, EAGAIN when there is nothing.
IoResult peek(int fd);

Result<int> get_option(int fd, int level, int name);
Status set_option(int fd, int level, int name, int value);
Result<SockAddr> local_address(int fd);
Result<SockAddr> peer_address(int fd);
// From which address the system would send to this one: asked by connecting a datagram socket,
// which sends nothing. ENETUNREACH and the like where there is no route.
Result<SockAddr> source_address(const SockAddr& destination);

// Blocks this thread until one of the poll(2) events holds or the time is over (negative: never).
// Returns the events, or 0 when the time was over.
Result<int> wait_for(int fd, int events, double timeout_ms);

}  // namespace sock::sys
