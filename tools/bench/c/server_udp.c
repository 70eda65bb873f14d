// Datagrams in batches: echo, bulk sending and bulk receiving, with segmentation offload and
// without.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#define BATCH_MAX 64
#define ECHO_SIZE 2048
// A segmented send takes one packet's worth of bytes at a time.
#define PAYLOAD_MAX 65507
#define JOINED_SIZE 65536

struct batch {
  size_t room;
  struct mmsghdr headers[BATCH_MAX];
  struct iovec parts[BATCH_MAX];
  struct sockaddr_in addresses[BATCH_MAX];
  uint8_t* memory;
};

static void open_batch(struct batch* batch, size_t room) {
  batch->room = room;
  batch->memory = must_calloc(BATCH_MAX, room);
  for (size_t i = 0; i < BATCH_MAX; i++) {
    batch->parts[i].iov_base = batch->memory + i * room;
    batch->headers[i].msg_hdr = (struct msghdr){
        .msg_name = &batch->addresses[i], .msg_iov = &batch->parts[i], .msg_iovlen = 1};
  }
}

static size_t receive_batch(struct batch* batch, int fd) {
  for (size_t i = 0; i < BATCH_MAX; i++) {
    batch->parts[i].iov_len = batch->room;
    batch->headers[i].msg_hdr.msg_namelen = sizeof batch->addresses[i];
  }
  int count = recvmmsg(fd, batch->headers, BATCH_MAX, MSG_DONTWAIT, NULL);
  if (count < 0 && errno != EAGAIN && errno != EINTR) die("recvmmsg");
  return count < 0 ? 0 : (size_t)count;
}

static void echo(struct worker* worker) {
  static struct batch batch;
  if (batch.memory == NULL) open_batch(&batch, ECHO_SIZE);
  size_t count;
  do {
    count = receive_batch(&batch, worker->listener);
    for (size_t i = 0; i < count; i++) batch.parts[i].iov_len = batch.headers[i].msg_len;
    // What does not go is lost, as datagrams are.
    if (count > 0) (void)!sendmmsg(worker->listener, batch.headers, (unsigned)count, 0);
  } while (count == BATCH_MAX);
}

// Answers a question with as many datagrams as it asks for.
static void answer(struct worker* worker, bool offload) {
  static uint8_t bytes[1 << 20];
  static struct mmsghdr headers[1024];
  static struct iovec parts[1024];
  double asked;
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  if (recvfrom(worker->listener, &asked, sizeof asked, MSG_DONTWAIT, (struct sockaddr*)&from,
               &size) != sizeof asked) {
    return;
  }
  size_t left = (size_t)asked * worker->frame_size;
  size_t piece =
      offload ? PAYLOAD_MAX / worker->frame_size * worker->frame_size : worker->frame_size;
  char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
  struct cmsghdr* header = (struct cmsghdr*)control;
  *header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(uint16_t)), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
  uint16_t segment = (uint16_t)worker->frame_size;
  memcpy(CMSG_DATA(header), &segment, sizeof segment);
  unsigned count = 0;
  for (size_t at = 0; left > 0 && count < 1024; count++) {
    size_t length = left < piece ? left : piece;
    parts[count] = (struct iovec){bytes + at, length};
    headers[count].msg_hdr = (struct msghdr){.msg_name = &from,
                                             .msg_namelen = size,
                                             .msg_iov = &parts[count],
                                             .msg_iovlen = 1,
                                             .msg_control = offload ? control : NULL,
                                             .msg_controllen = offload ? sizeof control : 0};
    at += length;
    left -= length;
  }
  (void)!sendmmsg(worker->listener, headers, count, 0);
}

static void answer_segments(struct worker* worker) {
  answer(worker, true);
}
static void answer_each(struct worker* worker) {
  answer(worker, false);
}

// Counts what comes, and tells the sender how much that was, once for as many as the load says.
static void count(struct worker* worker) {
  static struct batch batch;
  static double total;
  static double told;
  if (batch.memory == NULL) {
    int on = 1;
    int room = 4 << 20;
    open_batch(&batch, JOINED_SIZE);
    if (setsockopt(worker->listener, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
    (void)setsockopt(worker->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  }
  size_t received = receive_batch(&batch, worker->listener);
  for (size_t i = 0; i < received; i++) {
    total += (double)((batch.headers[i].msg_len + worker->frame_size - 1) / worker->frame_size);
  }
  if (received == 0 || total - told < ACK_EVERY) return;
  told = total;
  (void)!sendto(worker->listener, &total, sizeof total, 0,
                (struct sockaddr*)&batch.addresses[received - 1], sizeof batch.addresses[0]);
}

const struct workload kUdpEcho = {"udp-echo", echo, NULL};
const struct workload kUdpSend = {"udp-send", answer_segments, NULL};
const struct workload kUdpSendEach = {"udp-send-each", answer_each, NULL};
const struct workload kUdpReceive = {"udp-receive", count, NULL};
