// Short connections: each of `connections` slots connects, sends one message, reads the echo until
// the server closes, and begins again.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

#define MESSAGE_MAX 65536

struct slot {
  int fd;
  size_t received;
  uint64_t started;
};

struct churn {
  struct loop loop;
  struct slot* slots;
  uint8_t message[MESSAGE_MAX];
};

static bool start_slot(void* owner, size_t index, uint64_t started) {
  struct churn* churn = owner;
  struct load* load = churn->loop.load;
  struct slot* slot = &churn->slots[index];
  slot->started = started;
  slot->received = 0;
  slot->fd = connect_from_next(load);
  if (slot->fd < 0) die("connect");
  ssize_t sent;
  do sent = send(slot->fd, churn->message, load->size, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent != (ssize_t)load->size) die("send");
  loop_watch(&churn->loop, EPOLL_CTL_ADD, slot->fd, EPOLLIN, index);
  return true;
}

static void finish_slot(struct churn* churn, struct slot* slot, bool good) {
  uint64_t now = now_ns();
  // The server has closed already.
  must_reset_on_close(slot->fd);
  close(slot->fd);
  if (good) {
    window_record(&churn->loop.load->window, now - slot->started, 1);
  } else {
    churn->loop.load->window.errors++;
  }
  loop_finish(&churn->loop, (size_t)(slot - churn->slots), now);
}

static void read_slot(void* owner, size_t index, uint32_t events) {
  static uint8_t answer[MESSAGE_MAX];
  struct churn* churn = owner;
  struct slot* slot = &churn->slots[index];
  (void)events;
  for (;;) {
    ssize_t count = recv(slot->fd, answer, sizeof answer, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      finish_slot(churn, slot, count == 0 && slot->received == churn->loop.load->size);
      return;
    }
    if (slot->received + (size_t)count > churn->loop.load->size ||
        memcmp(answer, churn->message + slot->received, (size_t)count) != 0) {
      fprintf(stderr, "wrong echo: %zd bytes at %zu\n", count, slot->received);
      exit(1);
    }
    slot->received += (size_t)count;
  }
}

int run_connect(struct load* load) {
  static struct churn churn;
  if (load->size > MESSAGE_MAX) die_usage("--size is too large for connect");
  churn.loop =
      (struct loop){.load = load, .owner = &churn, .start = start_slot, .react = read_slot};
  loop_open(&churn.loop, 1);
  churn.slots = must_calloc(load->connections, sizeof *churn.slots);
  fill_pattern(churn.message, load->size, 1);
  loop_run(&churn.loop);
  load->window.errors += churn.loop.busy;
  window_print(&load->window, NULL);
  return 0;
}
