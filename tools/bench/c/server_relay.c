// A proxy: bytes go from socket to pipe to socket by splice(2), one pipe for each direction.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server.h"

#define PIPE_SIZE (256 * 1024)
#define FLAGS (SPLICE_F_NONBLOCK | SPLICE_F_MOVE)
#define EDGE (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct flow {
  int from;
  int to;
  int pipe[2];
  size_t held;  // in the pipe
  bool ended;
};

struct relay {
  struct flow flows[2];
};

static int connect_upstream(const struct worker* worker) {
  struct sockaddr_storage address;
  socklen_t size = parse_address(NULL, "127.0.0.1", worker->upstream, &address);
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, size) != 0) die("connect upstream");
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("O_NONBLOCK");
  return fd;
}

static void open_flow(struct flow* flow, int from, int to) {
  flow->from = from;
  flow->to = to;
  if (pipe2(flow->pipe, O_CLOEXEC | O_NONBLOCK) != 0) die("pipe2");
  if (fcntl(flow->pipe[0], F_SETPIPE_SZ, PIPE_SIZE) < 0) die("F_SETPIPE_SZ");
}

static void accept_all(struct worker* worker) {
  for (;;) {
    int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) die("accept4");
    worker->counters->accepted++;
    int upstream = connect_upstream(worker);
    struct relay* relay = must_calloc(1, sizeof *relay);
    open_flow(&relay->flows[0], fd, upstream);
    open_flow(&relay->flows[1], upstream, fd);
    worker->states[fd] = worker->states[upstream] = relay;
    must_register(worker->epoll, EPOLL_CTL_ADD, fd, EDGE, (uint64_t)fd);
    must_register(worker->epoll, EPOLL_CTL_ADD, upstream, EDGE, (uint64_t)upstream);
  }
}

static void drop(struct worker* worker, struct relay* relay) {
  for (int i = 0; i < 2; i++) {
    struct flow* flow = &relay->flows[i];
    worker->states[flow->from] = NULL;
    close(flow->pipe[0]);
    close(flow->pipe[1]);
    close(flow->from);
  }
  free(relay);
}

// False when the connection broke.
static bool pump(struct flow* flow) {
  while (!flow->ended) {
    if (flow->held == 0) {
      ssize_t taken = splice(flow->from, NULL, flow->pipe[1], NULL, PIPE_SIZE, FLAGS);
      if (taken < 0) return errno == EAGAIN;
      flow->held = (size_t)taken;
      flow->ended = taken == 0;
      if (flow->ended) return shutdown(flow->to, SHUT_WR) == 0;
    }
    ssize_t put = splice(flow->pipe[0], NULL, flow->to, NULL, flow->held, FLAGS);
    if (put < 0) return errno == EAGAIN;
    flow->held -= (size_t)put;
  }
  return true;
}

static void forward(struct worker* worker, int fd, uint32_t events) {
  struct relay* relay = worker->states[fd];
  // The other socket of the pair ended in this batch.
  if (relay == NULL) return;
  struct flow* in = &relay->flows[relay->flows[0].from == fd ? 0 : 1];
  struct flow* out = &relay->flows[relay->flows[0].from == fd ? 1 : 0];
  bool whole = true;
  if ((events & ~(uint32_t)EPOLLOUT) != 0 && in->held == 0) whole = pump(in);
  if (whole && out->held > 0) whole = pump(out);
  if (!whole || (in->ended && out->ended)) drop(worker, relay);
}

const struct workload kRelay = {"relay", accept_all, forward};
