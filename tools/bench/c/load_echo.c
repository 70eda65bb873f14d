// Echo: `connections` stay open; each writes `pipeline` messages together and waits for all of
// them. Whatever comes back is compared byte by byte with what was sent.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

#define READ_SIZE (256 * 1024)

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
  struct loop loop;
  size_t batch_size;
  struct connection* connections;
};

static void watch_write(struct echo* echo, struct connection* connection, bool wanted) {
  if (connection->wants_write == wanted) return;
  connection->wants_write = wanted;
  loop_watch(&echo->loop, EPOLL_CTL_MOD, connection->fd, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN,
             (size_t)(connection - echo->connections));
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

static bool start_batch(void* owner, size_t slot, uint64_t started) {
  struct echo* echo = owner;
  struct connection* connection = &echo->connections[slot];
  // A number that moves with every turn shows an answer that belongs to an earlier question.
  for (size_t i = 0; i < echo->loop.load->pipeline; i++) {
    uint64_t turn = ++connection->turn;
    memcpy(connection->batch + i * echo->loop.load->size, &turn, sizeof turn);
  }
  connection->sent = 0;
  connection->received = 0;
  connection->started = started;
  send_rest(echo, connection);
  return true;
}

static void finish_batch(struct echo* echo, struct connection* connection) {
  uint64_t now = now_ns();
  window_record(&echo->loop.load->window, now - connection->started, echo->loop.load->pipeline);
  loop_finish(&echo->loop, (size_t)(connection - echo->connections), now);
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
  struct load* load = echo->loop.load;
  echo->batch_size = load->size * load->pipeline;
  echo->connections = must_calloc(load->connections, sizeof *echo->connections);
  loop_open(&echo->loop, load->pipeline);
  for (size_t i = 0; i < load->connections; i++) {
    struct connection* connection = &echo->connections[i];
    connection->fd = connect_socket(load, 0);
    if (connection->fd < 0) die("connect");
    connection->batch = must_calloc(1, echo->batch_size);
    fill_pattern(connection->batch, echo->batch_size, i + 1);
    loop_watch(&echo->loop, EPOLL_CTL_ADD, connection->fd, EPOLLIN, i);
  }
}

static void react(void* owner, size_t slot, uint32_t events) {
  struct echo* echo = owner;
  struct connection* connection = &echo->connections[slot];
  if (events & EPOLLOUT) send_rest(echo, connection);
  if (events & ~(uint32_t)EPOLLOUT) read_answer(echo, connection);
}

int run_echo(struct load* load) {
  static struct echo echo;
  echo.loop = (struct loop){.load = load, .owner = &echo, .start = start_batch, .react = react};
  open_connections(&echo);
  loop_run(&echo.loop);
  if (echo.loop.busy > 0) {
    fprintf(stderr, "%zu answers never came\n", echo.loop.busy);
    return 1;
  }
  window_print(&load->window, congestion_of(echo.connections[0].fd));
  return 0;
}
