// Bytes that move between descriptors without passing through this process. All of them return a
// count or a negative errno, and -ENOSYS on systems that have no such call; SIGPIPE never fires.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/socket_calls.h"

namespace sock::sys {

// sendfile(2); 0 at the end of the file.
IoResult send_file(int socket, int file, uint64_t offset, size_t size);
// splice(2), never waiting for the pipe or the socket. From a file: 0 at its end; from a socket: 0
// at the peer's orderly end.
IoResult splice_file(int file, uint64_t offset, int pipe, size_t size);
IoResult splice_in(int socket, int pipe, size_t size);
IoResult splice_out(int pipe, int socket, size_t size);

// Whether the errno says that these descriptors cannot be joined in that way, so that another way
// may do: by a file system that has no such operation, or by a filter of system calls.
bool is_refusal(IoResult result);

// Asks for so much room in a pipe; the kernel grants less, or nothing, at a user's limit.
void enlarge_pipe(int pipe, size_t size);

}  // namespace sock::sys
