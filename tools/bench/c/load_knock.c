// Knocks: each of `connections` slots connects, waits until the server has closed or reset the
// connection, whichever, and begins again.
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

#define EVENTS_MAX 256
#define DRAIN_NS 5000000000ull
// As in load_connect.c: one source address alone runs out of ports at this rate.
#define SOURCES 60000u

struct slot {
  int fd;
  uint64_t started;
};

struct crowd {
  struct load* load;
  int epoll;
  size_t busy;
  uint32_t sequence;
  struct slot* slots;
  struct pacer pacer;
};

// A reset can be faster than connect(), which then fails with it: that is an answer, too.
static bool was_turned_away(void) {
  return errno == ECONNRESET;
}

static void start_slot(struct crowd* crowd, struct slot* slot, uint64_t started) {
  for (;;) {
    slot->started = started;
    slot->fd = connect_socket(crowd->load, INADDR_LOOPBACK + crowd->sequence++ % SOURCES);
    if (slot->fd >= 0) break;
    if (!was_turned_away()) die("connect");
    uint64_t now = now_ns();
    window_record(&crowd->load->window, now - started, 1);
    if (crowd->pacer.interval > 0) {
      pacer_release(&crowd->pacer, (size_t)(slot - crowd->slots));
      return;
    }
    if (window_advance(&crowd->load->window, now) == PHASE_DONE) return;
    started = now;
  }
  crowd->busy++;
  must_register(crowd->epoll, EPOLL_CTL_ADD, slot->fd, EPOLLIN, (uint64_t)(slot - crowd->slots));
}

static void finish_slot(struct crowd* crowd, struct slot* slot) {
  uint64_t now = now_ns();
  // Of those that were closed in order no TIME_WAIT entry is to stay here either.
  struct linger abort_on_close = {.l_onoff = 1, .l_linger = 0};
  if (setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof abort_on_close) != 0) {
    die("SO_LINGER");
  }
  close(slot->fd);
  crowd->busy--;
  window_record(&crowd->load->window, now - slot->started, 1);
  if (crowd->load->window.phase == PHASE_DONE) return;
  if (crowd->pacer.interval > 0) {
    pacer_release(&crowd->pacer, (size_t)(slot - crowd->slots));
  } else {
    start_slot(crowd, slot, now);
  }
}

static void run_events(struct crowd* crowd) {
  struct epoll_event events[EVENTS_MAX];
  int count = wait_for_events(crowd->epoll, events, EVENTS_MAX, crowd->load, &crowd->pacer);
  for (int i = 0; i < count; i++) finish_slot(crowd, &crowd->slots[events[i].data.u64]);
}

static void run_paced_starts(struct crowd* crowd) {
  size_t index;
  uint64_t due;
  uint64_t now = now_ns();
  while (pacer_take(&crowd->pacer, now, &index, &due)) {
    start_slot(crowd, &crowd->slots[index], due);
  }
}

int run_knock(struct load* load) {
  static struct crowd crowd;
  crowd.load = load;
  crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (crowd.epoll < 0) die("epoll_create1");
  crowd.slots = must_calloc(load->connections, sizeof *crowd.slots);
  pacer_open(&crowd.pacer, load, 1);
  window_open(&load->window);
  for (size_t i = 0; i < load->connections; i++) {
    if (crowd.pacer.interval > 0) {
      pacer_release(&crowd.pacer, i);
    } else {
      start_slot(&crowd, &crowd.slots[i], now_ns());
    }
  }
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    run_paced_starts(&crowd);
    run_events(&crowd);
  }
  crowd.pacer.count = 0;
  while (crowd.busy > 0 && now_ns() < load->window.end + DRAIN_NS) run_events(&crowd);
  load->window.errors += crowd.busy;
  window_print(&load->window, NULL);
  return 0;
}
