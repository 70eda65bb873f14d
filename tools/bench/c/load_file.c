// Files: one connection asks with eight bytes, reads the whole file, and asks again. Every page of
// the file begins with its number, so a piece that is missing, doubled or out of place is seen.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

#define READ_SIZE (1024 * 1024)
#define PAGE_SIZE 4096u
#define SILENCE_MAX_S 10

static void check_pages(uint64_t position, const uint8_t* bytes, size_t size) {
  uint64_t end = position + size;
  for (uint64_t page = position / PAGE_SIZE; page * PAGE_SIZE < end; page++) {
    uint64_t start = page * PAGE_SIZE;
    uint64_t from = start > position ? start : position;
    uint64_t until = start + sizeof page < end ? start + sizeof page : end;
    if (from >= until) continue;
    if (memcmp(bytes + (from - position), (uint8_t*)&page + (from - start), until - from) == 0) {
      continue;
    }
    fprintf(stderr, "wrong bytes in page %llu\n", (unsigned long long)page);
    exit(1);
  }
}

// Leaves nothing of the file in the kernel's cache, so that the next send has to read it.
static void evict(const char* path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(path);
  errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  if (errno != 0) die("posix_fadvise");
  close(fd);
}

static void ask(const struct load* load, int fd) {
  static const uint8_t question[8];
  if (load->evict != NULL) evict(load->evict);
  if (send(fd, question, sizeof question, MSG_NOSIGNAL) != sizeof question) die("send");
}

static void read_file(struct load* load, int fd) {
  static uint8_t buffer[READ_SIZE];
  uint64_t counted = 0;
  for (uint64_t position = 0; position < load->size;) {
    size_t want = load->size - position < READ_SIZE ? load->size - position : READ_SIZE;
    ssize_t count = recv(fd, buffer, want, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) die(count == 0 ? "the file ended early" : "recv");
    check_pages(position, buffer, (size_t)count);
    position += (uint64_t)count;
    window_count(&load->window, (position >> 20) - counted);
    counted = position >> 20;
    window_advance(&load->window, now_ns());
  }
}

int run_file(struct load* load) {
  int fd = connect_socket(load, 0);
  if (fd < 0) die("connect");
  struct timeval silence = {.tv_sec = SILENCE_MAX_S};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) != 0) die("SO_RCVTIMEO");
  window_open(&load->window);
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    uint64_t started = now_ns();
    ask(load, fd);
    read_file(load, fd);
    window_record(&load->window, now_ns() - started, 0);
  }
  window_print(&load->window, congestion_of(fd));
  return 0;
}
