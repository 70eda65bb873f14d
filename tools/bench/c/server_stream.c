// Echo, pipelined echo and idle: long-lived connections, registered once, edge-triggered. On TCP a
// read shorter than the buffer proves the socket drained, unless the peer's end came along
// (EPOLLRDHUP): a second recv only to hear EAGAIN is left out. Unix streams give the same proof
// here because nothing but plain bytes is ever sent.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server.h"

#define EDGE (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define ENDED (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static void drop(struct worker* worker, int fd) {
  free(worker->backlogs[fd]);
  free(worker->carries[fd]);
  worker->backlogs[fd] = NULL;
  worker->carries[fd] = NULL;
  close(fd);
}

static void accept_all(struct worker* worker) {
  for (;;) {
    int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) die("accept4");
    worker->counters->accepted++;
    must_register(worker->epoll, EPOLL_CTL_ADD, fd, EDGE, (uint64_t)fd);
  }
}

static void keep(struct worker* worker, int fd, const uint8_t* bytes, size_t size) {
  struct backlog* old = worker->backlogs[fd];
  size_t before = old == NULL ? 0 : old->size;
  struct backlog* backlog = realloc(old, sizeof *backlog + before + size);
  if (backlog == NULL) die("realloc");
  if (old == NULL) {
    backlog->sent = 0;
    must_register(worker->epoll, EPOLL_CTL_MOD, fd, EDGE | EPOLLOUT, (uint64_t)fd);
  }
  memcpy(backlog->bytes + before, bytes, size);
  backlog->size = before + size;
  worker->backlogs[fd] = backlog;
}

// False when the connection is gone.
static bool transmit(struct worker* worker, int fd, const uint8_t* bytes, size_t size) {
  while (size > 0 && worker->backlogs[fd] == NULL) {
    ssize_t count = send(fd, bytes, size, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) {
      drop(worker, fd);
      return false;
    }
    bytes += count;
    size -= (size_t)count;
  }
  if (size > 0) keep(worker, fd, bytes, size);
  return true;
}

// False while something still waits, or when the connection is gone.
static bool flush(struct worker* worker, int fd) {
  struct backlog* backlog = worker->backlogs[fd];
  while (backlog->sent < backlog->size) {
    ssize_t count =
        send(fd, backlog->bytes + backlog->sent, backlog->size - backlog->sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return false;
    if (count < 0) {
      drop(worker, fd);
      return false;
    }
    backlog->sent += (size_t)count;
  }
  free(backlog);
  worker->backlogs[fd] = NULL;
  must_register(worker->epoll, EPOLL_CTL_MOD, fd, EDGE, (uint64_t)fd);
  return true;
}

// Bytes read, 0 when there is nothing (more) to do on this connection now.
static size_t receive(struct worker* worker, int fd, uint8_t* into, size_t size) {
  for (;;) {
    ssize_t count = recv(fd, into, size, 0);
    if (count > 0) return (size_t)count;
    if (count < 0 && errno == EINTR) continue;
    if (count == 0 || errno != EAGAIN) drop(worker, fd);
    return 0;
  }
}

static bool blocked(struct worker* worker, int fd) {
  return worker->backlogs[fd] != NULL && !flush(worker, fd);
}

static void echo(struct worker* worker, int fd, uint32_t events) {
  static uint8_t buffer[READ_SIZE];
  if (blocked(worker, fd)) return;
  for (;;) {
    size_t count = receive(worker, fd, buffer, sizeof buffer);
    if (count == 0 || !transmit(worker, fd, buffer, count)) return;
    if (worker->backlogs[fd] != NULL) return;
    if (count < sizeof buffer && (events & ENDED) == 0) return;
  }
}

static size_t take_carry(struct worker* worker, int fd, uint8_t* into) {
  struct carry* carry = worker->carries[fd];
  if (carry == NULL) return 0;
  size_t size = carry->size;
  memcpy(into, carry->bytes, size);
  carry->size = 0;
  return size;
}

static void put_carry(struct worker* worker, int fd, const uint8_t* bytes, size_t size) {
  if (size == 0) return;
  if (worker->carries[fd] == NULL) {
    worker->carries[fd] = must_calloc(1, sizeof(struct carry) + worker->frame_size);
  }
  memcpy(worker->carries[fd]->bytes, bytes, size);
  worker->carries[fd]->size = size;
}

// Every frame is found and answered by itself; --gather lets the answers of one read leave
// together, which is the true floor.
static bool answer_frames(struct worker* worker, int fd, const uint8_t* bytes, size_t size) {
  static uint8_t answers[READ_SIZE];
  size_t answered = 0;
  size_t offset = 0;
  for (; offset + worker->frame_size <= size; offset += worker->frame_size) {
    if (worker->gather) {
      memcpy(answers + answered, bytes + offset, worker->frame_size);
      answered += worker->frame_size;
    } else if (!transmit(worker, fd, bytes + offset, worker->frame_size)) {
      return false;
    }
  }
  if (answered > 0 && !transmit(worker, fd, answers, answered)) return false;
  put_carry(worker, fd, bytes + offset, size - offset);
  return true;
}

static void pipeline(struct worker* worker, int fd, uint32_t events) {
  static uint8_t buffer[READ_SIZE];
  if (worker->frame_size > READ_SIZE / 2) die_usage("--size is too large for pipeline");
  if (blocked(worker, fd)) return;
  for (;;) {
    size_t carried = take_carry(worker, fd, buffer);
    size_t count = receive(worker, fd, buffer + carried, sizeof buffer - carried);
    if (count == 0) return;
    if (!answer_frames(worker, fd, buffer, carried + count)) return;
    if (worker->backlogs[fd] != NULL) return;
    if (carried + count < sizeof buffer && (events & ENDED) == 0) return;
  }
}

const struct workload kEcho = {"echo", accept_all, echo};
const struct workload kPipeline = {"pipeline", accept_all, pipeline};
// An idle connection that says something is echoed: the only honest way to hold one open.
const struct workload kIdle = {"idle", accept_all, echo};
