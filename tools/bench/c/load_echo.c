// Echo: `connections` stay open; each writes `pipeline` messages together and waits for all of
// them. Whatever comes back is compared byte by byte with what was sent.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

#define EVENTS_MAX 256
#define READ_SIZE (256 * 1024)
#define DRAIN_NS 5000000000ull

struct connection {
  int fd;
  bool wants_write;
  size_t sent;
  size_t received;
  uint64_t turn;
  uint64_t started;
  uint8_t* batch;
};

struct echo {
  struct load* load;
  int epoll;
  size_t batch_size;
  size_t busy;
  struct connection* connections;
  struct pacer pacer;
};

static void watch_write(struct echo* echo, struct connection* connection, bool wanted) {
  if (connection->wants_write == wanted) return;
  connection->wants_write = wanted;
  must_register(echo->epoll, EPOLL_CTL_MOD, connection->fd, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN,
                (uint64_t)(connection - echo->connections));
}

static void send_rest(struct echo* echo, struct connection* connection) {
  while (connection->sent < echo->batch_size) {
    ssize_t count = send(connection->fd, connection->batch + connection->sent,
                         echo->batch_size - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      watch_write(echo, connection, true);
      return;
    }
    if (count < 0) die("send");
    connection->sent += (size_t)count;
  }
  watch_write(echo, connection, false);
}

static void start_batch(struct echo* echo, struct connection* connection, uint64_t started) {
  // A number that moves with every turn shows an answer that belongs to an earlier question.
  for (size_t i = 0; i < echo->load->pipeline; i++) {
    uint64_t turn = ++connection->turn;
    memcpy(connection->batch + i * echo->load->size, &turn, sizeof turn);
  }
  connection->sent = 0;
  connection->received = 0;
  connection->started = started;
  echo->busy++;
  send_rest(echo, connection);
}

static void finish_batch(struct echo* echo, struct connection* connection) {
  uint64_t now = now_ns();
  window_record(&echo->load->window, now - connection->started, echo->load->pipeline);
  echo->busy--;
  if (echo->load->window.phase == PHASE_DONE) return;
  if (echo->pacer.interval > 0) {
    pacer_release(&echo->pacer, (size_t)(connection - echo->connections));
  } else {
    start_batch(echo, connection, now);
  }
}

static void read_answer(struct echo* echo, struct connection* connection) {
  static uint8_t answer[READ_SIZE];
  ssize_t count = recv(connection->fd, answer, sizeof answer, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) die("recv");
  size_t expected = connection->sent - connection->received;
  if (count == 0 || (size_t)count > expected ||
      memcmp(answer, connection->batch + connection->received, (size_t)count) != 0) {
    fprintf(stderr, "wrong echo: %zd bytes at %zu of %zu, turn %llu\n", count, connection->received,
            echo->batch_size, (unsigned long long)connection->turn);
    exit(1);
  }
  connection->received += (size_t)count;
  if (connection->received == echo->batch_size) finish_batch(echo, connection);
}

static void open_connections(struct echo* echo) {
  struct load* load = echo->load;
  echo->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (echo->epoll < 0) die("epoll_create1");
  echo->batch_size = load->size * load->pipeline;
  echo->connections = must_calloc(load->connections, sizeof *echo->connections);
  pacer_open(&echo->pacer, load, load->pipeline);
  for (size_t i = 0; i < load->connections; i++) {
    struct connection* connection = &echo->connections[i];
    connection->fd = connect_socket(load, 0);
    if (connection->fd < 0) die("connect");
    connection->batch = must_calloc(1, echo->batch_size);
    fill_pattern(connection->batch, echo->batch_size, i + 1);
    must_register(echo->epoll, EPOLL_CTL_ADD, connection->fd, EPOLLIN, i);
  }
}

static void run_events(struct echo* echo) {
  struct epoll_event events[EVENTS_MAX];
  int count = wait_for_events(echo->epoll, events, EVENTS_MAX, echo->load, &echo->pacer);
  for (int i = 0; i < count; i++) {
    struct connection* connection = &echo->connections[events[i].data.u64];
    if (events[i].events & EPOLLOUT) send_rest(echo, connection);
    if (events[i].events & ~(uint32_t)EPOLLOUT) read_answer(echo, connection);
  }
}

static void run_paced_starts(struct echo* echo) {
  size_t index;
  uint64_t due;
  uint64_t now = now_ns();
  while (pacer_take(&echo->pacer, now, &index, &due)) {
    start_batch(echo, &echo->connections[index], due);
  }
}

int run_echo(struct load* load) {
  static struct echo echo;
  echo.load = load;
  open_connections(&echo);
  window_open(&load->window);
  echo.pacer.due = load->window.begin;
  for (size_t i = 0; i < load->connections; i++) {
    if (echo.pacer.interval > 0) {
      pacer_release(&echo.pacer, i);
    } else {
      start_batch(&echo, &echo.connections[i], now_ns());
    }
  }
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    run_paced_starts(&echo);
    run_events(&echo);
  }
  // Every question still gets its answer, so that the server sees orderly ends, not resets.
  echo.pacer.count = 0;
  while (echo.busy > 0 && now_ns() < load->window.end + DRAIN_NS) run_events(&echo);
  if (echo.busy > 0) {
    fprintf(stderr, "%zu answers never came\n", echo.busy);
    return 1;
  }
  window_print(&load->window, congestion_of(echo.connections[0].fd));
  return 0;
}
