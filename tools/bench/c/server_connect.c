// Accept, one echo, close. The question is mostly there already when the connection is accepted,
// so it is asked for before anything is registered; the fewest calls are accept4, recv, send,
// close.
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server.h"

#define ACCEPT_BATCH_MAX 64
#define FULL_BATCHES_OF_A_FLOOD 16

static void answer_once(struct worker* worker, int fd, uint32_t events) {
  (void)events;
  static uint8_t buffer[READ_SIZE];
  for (;;) {
    ssize_t count = recv(fd, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      must_register(worker->epoll, EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)fd);
      return;
    }
    // What one read brings always fits the empty send buffer of a new connection.
    ssize_t sent = 0;
    do {
      if (count > 0) sent = send(fd, buffer, (size_t)count, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    close(fd);
    return;
  }
}

// The listener is level-triggered: what is left makes the next wait return at once. One accept a
// wake-up is right while it is quiet, since a second one nearly always says EAGAIN; a run of
// wake-ups that each filled their batch means a flood and earns a longer one until EAGAIN.
static void accept_some(struct worker* worker) {
  for (size_t accepted = 0; accepted < worker->accept_batch; accepted++) {
    int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno != EAGAIN) die("accept4");
    if (fd < 0) {
      worker->accept_batch = accepted > 1 ? accepted : 1;
      worker->full_batches = 0;
      return;
    }
    worker->counters->accepted++;
    answer_once(worker, fd, 0);
  }
  if (++worker->full_batches < FULL_BATCHES_OF_A_FLOOD) return;
  worker->full_batches = 0;
  if (worker->accept_batch < ACCEPT_BATCH_MAX) worker->accept_batch++;
}

const struct workload kConnect = {"connect", accept_some, answer_once};
