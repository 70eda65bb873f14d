// Lets in 1,000 connections a second, which are closed, and resets all others: accept4 with the
// peer's address, setsockopt, close.
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

#define PER_SECOND 1000
// As many as the others turn away before somebody else has a turn.
#define ACCEPT_BATCH 64

static double tokens = PER_SECOND;
static uint64_t filled_ns;

static bool take_token(void) {
  uint64_t now = now_ns();
  tokens += (double)(now - filled_ns) * PER_SECOND / 1e9;
  if (tokens > PER_SECOND) tokens = PER_SECOND;
  filled_ns = now;
  if (tokens < 1) return false;
  tokens -= 1;
  return true;
}

static void accept_some(struct worker* worker) {
  for (int accepted = 0; accepted < ACCEPT_BATCH; accepted++) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int fd =
        accept4(worker->listener, (struct sockaddr*)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno != EAGAIN) die("accept4");
    if (fd < 0) return;
    worker->counters->accepted++;
    if (!take_token()) must_reset_on_close(fd);
    close(fd);
  }
}

// Nobody is left whom it could hear of; without it the server would be one of datagrams.
static void ignore(struct worker* worker, int fd, uint32_t events) {
  (void)worker;
  (void)fd;
  (void)events;
}

const struct workload kFlood = {"flood", accept_some, ignore};
