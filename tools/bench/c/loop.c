#include "loop.h"

#include <sys/epoll.h>

#define EVENTS_MAX 256
#define DRAIN_NS 5000000000ull

void loop_open(struct loop* loop, size_t operations_per_start) {
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (loop->epoll < 0) die("epoll_create1");
  pacer_open(&loop->pacer, loop->load, operations_per_start);
}

void loop_watch(const struct loop* loop, int operation, int fd, uint32_t events, size_t slot) {
  must_register(loop->epoll, operation, fd, events, slot);
}

static void begin(struct loop* loop, size_t slot, uint64_t started) {
  struct window* window = &loop->load->window;
  while (!loop->start(loop->owner, slot, started)) {
    uint64_t now = now_ns();
    window_record(window, now - started, 1);
    if (loop->pacer.interval > 0) {
      pacer_release(&loop->pacer, slot);
      return;
    }
    if (window_advance(window, now) == PHASE_DONE) return;
    started = now;
  }
  loop->busy++;
}

void loop_finish(struct loop* loop, size_t slot, uint64_t now) {
  loop->busy--;
  if (loop->load->window.phase == PHASE_DONE) return;
  if (loop->pacer.interval > 0) {
    pacer_release(&loop->pacer, slot);
  } else {
    begin(loop, slot, now);
  }
}

static void begin_due(struct loop* loop) {
  size_t slot;
  uint64_t due;
  uint64_t now = now_ns();
  while (pacer_take(&loop->pacer, now, &slot, &due)) begin(loop, slot, due);
}

static void run_events(struct loop* loop) {
  struct epoll_event events[EVENTS_MAX];
  int count = wait_for_events(loop->epoll, events, EVENTS_MAX, loop->load, &loop->pacer);
  for (int i = 0; i < count; i++) loop->react(loop->owner, events[i].data.u64, events[i].events);
}

void loop_run(struct loop* loop) {
  struct load* load = loop->load;
  window_open(&load->window);
  loop->pacer.due = load->window.begin;
  for (size_t slot = 0; slot < load->connections; slot++) {
    if (loop->pacer.interval > 0) {
      pacer_release(&loop->pacer, slot);
    } else {
      begin(loop, slot, now_ns());
    }
  }
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    begin_due(loop);
    run_events(loop);
  }
  // Every question still gets its answer, so that the server sees orderly ends, not resets.
  loop->pacer.count = 0;
  while (loop->busy > 0 && now_ns() < load->window.end + DRAIN_NS) run_events(loop);
}
