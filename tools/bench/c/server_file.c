// A file for every eight bytes that come: one sendfile takes what the socket has room for.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"

struct transfer {
  int file;
  off_t size;
  off_t sent;  // == size: nothing to do
};

static void accept_all(struct worker* worker) {
  for (;;) {
    int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) die("accept4");
    worker->counters->accepted++;
    struct transfer* transfer = must_calloc(1, sizeof *transfer);
    transfer->file = open(worker->file, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (transfer->file < 0 || fstat(transfer->file, &status) != 0) die(worker->file);
    transfer->size = transfer->sent = status.st_size;
    worker->states[fd] = transfer;
    must_register(worker->epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                  (uint64_t)fd);
  }
}

static void drop(struct worker* worker, int fd) {
  struct transfer* transfer = worker->states[fd];
  close(transfer->file);
  free(transfer);
  worker->states[fd] = NULL;
  close(fd);
}

static bool take_question(struct worker* worker, int fd) {
  uint8_t question[8];
  ssize_t count = recv(fd, question, sizeof question, 0);
  if (count == sizeof question) return true;
  if (count >= 0 || errno != EAGAIN) drop(worker, fd);
  return false;
}

static void transmit(struct worker* worker, int fd, uint32_t events) {
  struct transfer* transfer = worker->states[fd];
  if (transfer->sent == transfer->size) {
    if ((events & ~(uint32_t)EPOLLOUT) == 0 || !take_question(worker, fd)) return;
    transfer->sent = 0;
  }
  while (transfer->sent < transfer->size) {
    ssize_t count =
        sendfile(fd, transfer->file, &transfer->sent, (size_t)(transfer->size - transfer->sent));
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    if (count == 0 || errno != EAGAIN) drop(worker, fd);
    return;
  }
}

const struct workload kSendfile = {"sendfile", accept_all, transmit};
