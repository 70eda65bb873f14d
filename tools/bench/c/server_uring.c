// Echo over io_uring, by its system calls: one accept and one receive per connection that go on,
// buffers that the kernel picks from, and one call for everything that was queued, which also
// waits. What was received is sent from where it lies. Whole messages are sent in order as long as
// they fit the socket, which a closed loop sees to.
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server.h"

#define ENTRIES 2048
#define BUFFER_SIZE 4096
#define BUFFERS_FIRST 64
#define BUFFERS_MAX 4096
#define GROUP 0

enum kind { ACCEPT, RECEIVE, SEND, COMMAND };

struct ring {
  int fd;
  unsigned* sq_tail;
  unsigned sq_mask;
  unsigned sq_next;
  unsigned sq_submitted;
  unsigned* cq_head;
  unsigned* cq_tail;
  unsigned cq_mask;
  struct io_uring_sqe* sqes;
  struct io_uring_cqe* cqes;
  struct io_uring_buf* buffers;
  uint8_t* memory;
  unsigned buffer_count;
  uint16_t buffer_tail;
};

static void* must_map(size_t size, int flags, int fd, off_t offset) {
  void* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
  if (memory == MAP_FAILED) die("mmap");
  return memory;
}

static void give(struct ring* ring, unsigned id) {
  struct io_uring_buf* buffer = &ring->buffers[ring->buffer_tail & (BUFFERS_MAX - 1)];
  buffer->addr = (uint64_t)(ring->memory + (size_t)id * BUFFER_SIZE);
  buffer->len = BUFFER_SIZE;
  buffer->bid = (uint16_t)id;
  ring->buffer_tail++;
  __atomic_store_n(&ring->buffers[0].resv, ring->buffer_tail, __ATOMIC_RELEASE);
}

static void give_more(struct ring* ring) {
  unsigned count = ring->buffer_count == 0 ? BUFFERS_FIRST : ring->buffer_count * 2;
  if (count > BUFFERS_MAX) count = BUFFERS_MAX;
  while (ring->buffer_count < count) give(ring, ring->buffer_count++);
}

static void open_ring(struct ring* ring) {
  struct io_uring_params params = {
      .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
      .cq_entries = ENTRIES * 4};
  ring->fd = (int)syscall(__NR_io_uring_setup, ENTRIES, &params);
  if (ring->fd < 0) die("io_uring_setup");
  size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  if (sq_size > size) size = sq_size;
  uint8_t* queues = must_map(size, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
  ring->sqes =
      must_map(params.sq_entries * sizeof *ring->sqes, MAP_SHARED, ring->fd, IORING_OFF_SQES);
  ring->sq_tail = (unsigned*)(queues + params.sq_off.tail);
  ring->sq_mask = params.sq_entries - 1;
  ring->cq_head = (unsigned*)(queues + params.cq_off.head);
  ring->cq_tail = (unsigned*)(queues + params.cq_off.tail);
  ring->cq_mask = params.cq_entries - 1;
  ring->cqes = (struct io_uring_cqe*)(queues + params.cq_off.cqes);
  unsigned* places = (unsigned*)(queues + params.sq_off.array);
  for (unsigned i = 0; i < params.sq_entries; i++) places[i] = i;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  ring->buffers = must_map(BUFFERS_MAX * sizeof *ring->buffers, flags, -1, 0);
  ring->memory = must_map((size_t)BUFFERS_MAX * BUFFER_SIZE, flags, -1, 0);
  struct io_uring_buf_reg group = {
      .ring_addr = (uint64_t)ring->buffers, .ring_entries = BUFFERS_MAX, .bgid = GROUP};
  if (syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_PBUF_RING, &group, 1) != 0) {
    die("io_uring_register");
  }
  give_more(ring);
}

static void enter(struct ring* ring, unsigned least) {
  __atomic_store_n(ring->sq_tail, ring->sq_next, __ATOMIC_RELEASE);
  unsigned count = ring->sq_next - ring->sq_submitted;
  long taken =
      syscall(__NR_io_uring_enter, ring->fd, count, least, IORING_ENTER_GETEVENTS, NULL, 0);
  if (taken < 0 && errno != EINTR) die("io_uring_enter");
  if (taken > 0) ring->sq_submitted += (unsigned)taken;
}

static struct io_uring_sqe* queue(struct ring* ring, enum kind kind, int fd, unsigned extra) {
  if (ring->sq_next - ring->sq_submitted > ring->sq_mask) enter(ring, 0);
  struct io_uring_sqe* sqe = &ring->sqes[ring->sq_next++ & ring->sq_mask];
  memset(sqe, 0, sizeof *sqe);
  sqe->fd = fd;
  sqe->user_data = (uint64_t)kind << 56 | (uint64_t)extra << 32 | (unsigned)fd;
  return sqe;
}

static void queue_accept(struct ring* ring, int listener) {
  struct io_uring_sqe* sqe = queue(ring, ACCEPT, listener, 0);
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->ioprio = IORING_ACCEPT_MULTISHOT;
  sqe->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
}

static void queue_receive(struct ring* ring, int fd) {
  struct io_uring_sqe* sqe = queue(ring, RECEIVE, fd, 0);
  sqe->opcode = IORING_OP_RECV;
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->flags = IOSQE_BUFFER_SELECT;
  sqe->buf_group = GROUP;
}

static void queue_send(struct ring* ring, int fd, unsigned id, int size) {
  struct io_uring_sqe* sqe = queue(ring, SEND, fd, id);
  sqe->opcode = IORING_OP_SEND;
  sqe->addr = (uint64_t)(ring->memory + (size_t)id * BUFFER_SIZE);
  sqe->len = (unsigned)size;
  sqe->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

static void queue_command(struct ring* ring) {
  struct io_uring_sqe* sqe = queue(ring, COMMAND, STDIN_FILENO, 0);
  sqe->opcode = IORING_OP_POLL_ADD;
  sqe->poll32_events = 1;  // POLLIN
}

static void on_received(struct ring* ring, int fd, const struct io_uring_cqe* cqe) {
  if (cqe->res > 0) {
    queue_send(ring, fd, cqe->flags >> IORING_CQE_BUFFER_SHIFT, cqe->res);
  } else if (cqe->res == -ENOBUFS) {
    give_more(ring);
  } else {
    close(fd);
    return;
  }
  if ((cqe->flags & IORING_CQE_F_MORE) == 0) queue_receive(ring, fd);
}

// False at the end of stdin.
static bool on_completion(struct worker* worker, struct ring* ring, const struct io_uring_cqe* cqe,
                          size_t workers) {
  int fd = (int)(uint32_t)cqe->user_data;
  switch ((enum kind)(cqe->user_data >> 56)) {
    case ACCEPT:
      if (cqe->res >= 0) {
        worker->counters->accepted++;
        queue_receive(ring, cqe->res);
      }
      if ((cqe->flags & IORING_CQE_F_MORE) == 0) queue_accept(ring, fd);
      return true;
    case RECEIVE:
      on_received(ring, fd, cqe);
      return true;
    case SEND:
      give(ring, (unsigned)(cqe->user_data >> 32) & 0xffff);
      return true;
    case COMMAND:
      queue_command(ring);
      return run_commands(worker->counters, workers);
  }
  return true;
}

void serve_by_ring(struct worker* worker, bool first, size_t workers) {
  struct ring ring = {0};
  open_ring(&ring);
  queue_accept(&ring, worker->listener);
  if (first) queue_command(&ring);
  for (;;) {
    enter(&ring, 1);
    worker->counters->wakeups++;
    unsigned head = *ring.cq_head;
    while (head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE)) {
      struct io_uring_cqe cqe = ring.cqes[head++ & ring.cq_mask];
      __atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
      if (!on_completion(worker, &ring, &cqe, workers)) return;
    }
  }
}
