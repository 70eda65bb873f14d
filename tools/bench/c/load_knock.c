// Knocks: each of `connections` slots connects, waits until the server has closed or reset the
// connection, whichever, and begins again.
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

struct slot {
  int fd;
  uint64_t started;
};

struct crowd {
  struct loop loop;
  struct slot* slots;
};

static bool start_slot(void* owner, size_t index, uint64_t started) {
  struct crowd* crowd = owner;
  struct slot* slot = &crowd->slots[index];
  slot->started = started;
  slot->fd = connect_from_next(crowd->loop.load);
  // A reset can be faster than connect(), which then fails with it: that is an answer, too.
  if (slot->fd < 0 && errno == ECONNRESET) return false;
  if (slot->fd < 0) die("connect");
  loop_watch(&crowd->loop, EPOLL_CTL_ADD, slot->fd, EPOLLIN, index);
  return true;
}

static void finish_slot(void* owner, size_t index, uint32_t events) {
  struct crowd* crowd = owner;
  struct slot* slot = &crowd->slots[index];
  uint64_t now = now_ns();
  (void)events;
  // It may have been closed in order.
  must_reset_on_close(slot->fd);
  close(slot->fd);
  window_record(&crowd->loop.load->window, now - slot->started, 1);
  loop_finish(&crowd->loop, index, now);
}

int run_knock(struct load* load) {
  static struct crowd crowd;
  crowd.loop =
      (struct loop){.load = load, .owner = &crowd, .start = start_slot, .react = finish_slot};
  loop_open(&crowd.loop, 1);
  crowd.slots = must_calloc(load->connections, sizeof *crowd.slots);
  loop_run(&crowd.loop);
  load->window.errors += crowd.loop.busy;
  window_print(&load->window, NULL);
  return 0;
}
