// The loop that closed loads share. A slot is a connection, or one after another: it begins, is
// busy until its answer is whole, and begins again, at once or when the pacer says so.
#ifndef SOCK_BENCH_LOOP_H
#define SOCK_BENCH_LOOP_H

#include "load.h"

struct loop {
  struct load* load;
  // Given to both:
  void* owner;
  // Begins what counts from `started`. False when it is over already, without a wait.
  bool (*start)(void* owner, size_t slot, uint64_t started);
  void (*react)(void* owner, size_t slot, uint32_t events);
  int epoll;
  size_t busy;
  struct pacer pacer;
};

// The members above `epoll` are set.
void loop_open(struct loop* loop, size_t operations_per_start);
void loop_watch(const struct loop* loop, int operation, int fd, uint32_t events, size_t slot);
// Until the window is over and every slot has its answer; `busy` are those that never got one.
void loop_run(struct loop* loop);
// For `react`: the answer is here, or will not come, and what it took was recorded.
void loop_finish(struct loop* loop, size_t slot, uint64_t now);

#endif
