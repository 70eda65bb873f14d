// Short connections: each of `connections` slots connects, sends one message, reads the echo until
// the server closes, and begins again.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

#define EVENTS_MAX 256
#define MESSAGE_MAX 65536
#define DRAIN_NS 5000000000ull
// Sources 127.0.0.1 to 127.0.234.96: one address alone runs out of ports at this rate.
#define SOURCES 60000u

struct slot {
  int fd;
  size_t received;
  uint64_t started;
};

struct churn {
  struct load* load;
  int epoll;
  size_t busy;
  uint32_t sequence;
  struct slot* slots;
  struct pacer pacer;
  uint8_t message[MESSAGE_MAX];
};

static void start_slot(struct churn* churn, struct slot* slot, uint64_t started);

static void finish_slot(struct churn* churn, struct slot* slot, bool good) {
  uint64_t now = now_ns();
  // The server has closed already. A reset spares both ends a TIME_WAIT entry, of which thousands
  // a second would overflow the kernel's table and be part of what is measured.
  struct linger abort_on_close = {.l_onoff = 1, .l_linger = 0};
  if (setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof abort_on_close) != 0) {
    die("SO_LINGER");
  }
  close(slot->fd);
  churn->busy--;
  if (good) {
    window_record(&churn->load->window, now - slot->started, 1);
  } else {
    churn->load->window.errors++;
  }
  if (churn->load->window.phase == PHASE_DONE) return;
  if (churn->pacer.interval > 0) {
    pacer_release(&churn->pacer, (size_t)(slot - churn->slots));
  } else {
    start_slot(churn, slot, now);
  }
}

static void start_slot(struct churn* churn, struct slot* slot, uint64_t started) {
  struct load* load = churn->load;
  uint32_t source = INADDR_LOOPBACK + churn->sequence++ % SOURCES;
  slot->started = started;
  slot->received = 0;
  slot->fd = connect_socket(load, load->address.ss_family == AF_INET ? source : 0);
  if (slot->fd < 0) die("connect");
  ssize_t sent;
  do sent = send(slot->fd, churn->message, load->size, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent != (ssize_t)load->size) die("send");
  churn->busy++;
  must_register(churn->epoll, EPOLL_CTL_ADD, slot->fd, EPOLLIN, (uint64_t)(slot - churn->slots));
}

static void read_slot(struct churn* churn, struct slot* slot) {
  static uint8_t answer[MESSAGE_MAX];
  for (;;) {
    ssize_t count = recv(slot->fd, answer, sizeof answer, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      finish_slot(churn, slot, count == 0 && slot->received == churn->load->size);
      return;
    }
    if (slot->received + (size_t)count > churn->load->size ||
        memcmp(answer, churn->message + slot->received, (size_t)count) != 0) {
      fprintf(stderr, "wrong echo: %zd bytes at %zu\n", count, slot->received);
      exit(1);
    }
    slot->received += (size_t)count;
  }
}

static void run_events(struct churn* churn) {
  struct epoll_event events[EVENTS_MAX];
  int count = wait_for_events(churn->epoll, events, EVENTS_MAX, churn->load, &churn->pacer);
  for (int i = 0; i < count; i++) read_slot(churn, &churn->slots[events[i].data.u64]);
}

static void run_paced_starts(struct churn* churn) {
  size_t index;
  uint64_t due;
  uint64_t now = now_ns();
  while (pacer_take(&churn->pacer, now, &index, &due)) {
    start_slot(churn, &churn->slots[index], due);
  }
}

int run_connect(struct load* load) {
  static struct churn churn;
  if (load->size > MESSAGE_MAX) die_usage("--size is too large for connect");
  churn.load = load;
  churn.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (churn.epoll < 0) die("epoll_create1");
  churn.slots = must_calloc(load->connections, sizeof *churn.slots);
  fill_pattern(churn.message, load->size, 1);
  pacer_open(&churn.pacer, load, 1);
  window_open(&load->window);
  for (size_t i = 0; i < load->connections; i++) {
    if (churn.pacer.interval > 0) {
      pacer_release(&churn.pacer, i);
    } else {
      start_slot(&churn, &churn.slots[i], now_ns());
    }
  }
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    run_paced_starts(&churn);
    run_events(&churn);
  }
  churn.pacer.count = 0;
  while (churn.busy > 0 && now_ns() < load->window.end + DRAIN_NS) run_events(&churn);
  load->window.errors += churn.busy;
  window_print(&load->window, NULL);
  return 0;
}
