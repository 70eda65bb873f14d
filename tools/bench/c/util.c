#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>

_Noreturn void die(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

_Noreturn void die_usage(const char* what) {
  fprintf(stderr, "bad arguments: %s\n", what);
  exit(2);
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) die("clock_gettime");
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void) {
  return read_clock(CLOCK_MONOTONIC);
}

uint64_t process_cpu_ns(pid_t pid) {
  clockid_t clock;
  errno = clock_getcpuclockid(pid, &clock);
  if (errno != 0) die("clock_getcpuclockid");
  return read_clock(clock);
}

size_t raise_open_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
  return limit.rlim_cur;
}

size_t parse_size(const char* name, const char* text, size_t least, size_t most) {
  char* end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < least || value > most) die_usage(name);
  return (size_t)value;
}

double parse_number(const char* name, const char* text) {
  char* end;
  double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= 0 && value < 1e6)) die_usage(name);
  return value;
}

socklen_t parse_address(const char* path, const char* host, size_t port,
                        struct sockaddr_storage* address) {
  memset(address, 0, sizeof *address);
  if (path != NULL) {
    struct sockaddr_un* local = (struct sockaddr_un*)address;
    local->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof local->sun_path) die_usage("--path is too long");
    strcpy(local->sun_path, path);
    return sizeof *local;
  }
  struct sockaddr_in* inet = (struct sockaddr_in*)address;
  inet->sin_family = AF_INET;
  inet->sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, host, &inet->sin_addr) != 1) die_usage("--host");
  return sizeof *inet;
}

void* must_calloc(size_t count, size_t size) {
  void* memory = calloc(count, size);
  if (memory == NULL) die("calloc");
  return memory;
}

void must_reset_on_close(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0) die("SO_LINGER");
}

void must_register(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  if (epoll_ctl(epoll, operation, fd, &event) != 0) die("epoll_ctl");
}
