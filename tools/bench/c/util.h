// What the load generator and the reference servers share: clocks, limits, errors.
#ifndef SOCK_BENCH_UTIL_H
#define SOCK_BENCH_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

// Ends the program with what failed and errno. A bench that goes on after a surprise measures it.
_Noreturn void die(const char* what);
_Noreturn void die_usage(const char* what);

uint64_t now_ns(void);

// CPU time of a whole process, all threads, user and system, with nanosecond resolution.
uint64_t process_cpu_ns(pid_t pid);

// Lifts the soft limit of open files to the hard one and returns it.
size_t raise_open_files(void);

size_t parse_size(const char* name, const char* text, size_t least, size_t most);
double parse_number(const char* name, const char* text);

// Fills `address` from a Unix path, or from a literal IPv4 host and a port. Returns its length.
socklen_t parse_address(const char* path, const char* host, size_t port,
                        struct sockaddr_storage* address);

void* must_calloc(size_t count, size_t size);
// Its close() will be a reset. That spares both ends a TIME_WAIT entry, of which thousands a second
// would overflow the kernel's table and be part of what is measured.
void must_reset_on_close(int fd);
void must_register(int epoll, int operation, int fd, uint32_t events, uint64_t token);

#endif
