// Datagrams: bursts that come back, bursts that are asked for, bursts that are counted by the other
// side. What is lost is given up on after a while and does not count.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

#define BURST_MAX 1024
#define ROOM (64 * 1024)
#define PAYLOAD_MAX 65507
#define GIVE_UP_NS 200000000ull
#define BUFFER_BYTES (4 << 20)

struct peer {
  int fd;
  uint64_t turn;
  size_t pending;  // datagrams of the burst that have not come yet
  uint64_t started;
};

struct udp {
  struct load* load;
  int epoll;
  struct peer* peers;
  uint8_t* burst;  // of all datagrams of one burst
  struct mmsghdr headers[BURST_MAX];
  struct iovec parts[BURST_MAX];
};

static void open_peers(struct udp* udp, bool joins) {
  struct load* load = udp->load;
  if (load->pipeline > BURST_MAX) die_usage("--pipeline is at most 1024 for datagrams");
  udp->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (udp->epoll < 0) die("epoll_create1");
  udp->burst = must_calloc(load->pipeline, load->size);
  fill_pattern(udp->burst, load->pipeline * load->size, 1);
  udp->peers = must_calloc(load->connections, sizeof *udp->peers);
  for (size_t i = 0; i < load->connections; i++) {
    int fd = socket(load->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    int room = BUFFER_BYTES;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (joins && setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
    if (connect(fd, (struct sockaddr*)&load->address, load->address_size) != 0) die("connect");
    udp->peers[i].fd = fd;
    must_register(udp->epoll, EPOLL_CTL_ADD, fd, EPOLLIN, i);
  }
}

static void prepare(struct udp* udp, size_t count, uint8_t* memory, size_t stride, size_t length) {
  for (size_t i = 0; i < count; i++) {
    udp->parts[i] = (struct iovec){memory + i * stride, length};
    udp->headers[i].msg_hdr = (struct msghdr){.msg_iov = &udp->parts[i], .msg_iovlen = 1};
  }
}

static void start_echo(struct udp* udp, struct peer* peer) {
  size_t size = udp->load->size;
  size_t count = udp->load->pipeline;
  peer->turn++;
  for (size_t i = 0; i < count; i++) {
    uint64_t number = peer->turn * BURST_MAX + i;
    memcpy(udp->burst + i * size, &number, sizeof number);
  }
  prepare(udp, count, udp->burst, size, size);
  int sent = sendmmsg(peer->fd, udp->headers, (unsigned)count, 0);
  if (sent < 0) die("sendmmsg");
  peer->pending = (size_t)sent;
  peer->started = now_ns();
}

static void read_echo(struct udp* udp, struct peer* peer) {
  static uint8_t memory[BURST_MAX * 2048];
  size_t size = udp->load->size;
  prepare(udp, BURST_MAX, memory, 2048, 2048);
  int count = recvmmsg(peer->fd, udp->headers, BURST_MAX, MSG_DONTWAIT, NULL);
  for (int i = 0; i < count; i++) {
    uint64_t number;
    memcpy(&number, memory + (size_t)i * 2048, sizeof number);
    size_t index = number % BURST_MAX;
    if (number / BURST_MAX != peer->turn) continue;  // given up on
    if (udp->headers[i].msg_len != size || index >= udp->load->pipeline ||
        memcmp(memory + (size_t)i * 2048 + 8, udp->burst + index * size + 8, size - 8) != 0) {
      fprintf(stderr, "wrong echo: %u bytes, number %zu of turn %llu\n", udp->headers[i].msg_len,
              index, (unsigned long long)peer->turn);
      exit(1);
    }
    peer->pending--;
  }
}

static void start_asking(struct udp* udp, struct peer* peer) {
  double count = (double)udp->load->pipeline;
  if (send(peer->fd, &count, sizeof count, 0) < 0) die("send");
  peer->pending = udp->load->pipeline;
  peer->started = now_ns();
}

static void read_joined(struct udp* udp, struct peer* peer) {
  static uint8_t memory[64 * ROOM];
  prepare(udp, 64, memory, ROOM, ROOM);
  int count = recvmmsg(peer->fd, udp->headers, 64, MSG_DONTWAIT, NULL);
  for (int i = 0; i < count; i++) {
    size_t datagrams = udp->headers[i].msg_len / udp->load->size;
    if (udp->headers[i].msg_len % udp->load->size != 0) die_usage("a datagram has another size");
    peer->pending -= datagrams < peer->pending ? datagrams : peer->pending;
  }
}

static void send_joined(struct udp* udp, int fd) {
  size_t size = udp->load->size;
  size_t left = size * udp->load->pipeline;
  size_t piece = PAYLOAD_MAX / size * size;
  char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
  struct cmsghdr* header = (struct cmsghdr*)control;
  *header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(uint16_t)), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
  uint16_t segment = (uint16_t)size;
  memcpy(CMSG_DATA(header), &segment, sizeof segment);
  for (size_t at = 0; left > 0;) {
    size_t length = left < piece ? left : piece;
    struct iovec part = {udp->burst + at, length};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    if (sendmsg(fd, &message, 0) < 0) die("sendmsg");
    at += length;
    left -= length;
  }
}

static void finish(struct udp* udp, struct peer* peer) {
  window_record(&udp->load->window, now_ns() - peer->started, udp->load->pipeline);
}

static int run_bursts(struct udp* udp, void (*start)(struct udp*, struct peer*),
                      void (*receive)(struct udp*, struct peer*)) {
  struct load* load = udp->load;
  window_open(&load->window);
  for (size_t i = 0; i < load->connections; i++) start(udp, &udp->peers[i]);
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    struct epoll_event events[64];
    int count = epoll_wait(udp->epoll, events, 64, 50);
    for (int i = 0; i < count; i++) {
      struct peer* peer = &udp->peers[events[i].data.u64];
      receive(udp, peer);
      if (peer->pending > 0) continue;
      finish(udp, peer);
      start(udp, peer);
    }
    uint64_t now = now_ns();
    for (size_t i = 0; i < load->connections; i++) {
      if (now - udp->peers[i].started > GIVE_UP_NS) start(udp, &udp->peers[i]);
    }
  }
  window_print(&load->window, NULL);
  return 0;
}

int run_udp_echo(struct load* load) {
  static struct udp udp;
  udp.load = load;
  open_peers(&udp, false);
  return run_bursts(&udp, start_echo, read_echo);
}

int run_udp_send(struct load* load) {
  static struct udp udp;
  udp.load = load;
  open_peers(&udp, true);
  return run_bursts(&udp, start_asking, read_joined);
}

// The other side tells how many it has received in all; so many bursts are on their way at a time.
int run_udp_receive(struct load* load) {
  static struct udp udp;
  udp.load = load;
  open_peers(&udp, false);
  window_open(&load->window);
  int fd = udp.peers[0].fd;
  double told = 0;
  double in_flight = 0;
  double most = (double)(load->pipeline * load->connections);
  uint64_t heard = now_ns();
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    while (in_flight + (double)load->pipeline <= most) {
      send_joined(&udp, fd);
      in_flight += (double)load->pipeline;
    }
    struct epoll_event event;
    if (epoll_wait(udp.epoll, &event, 1, 50) > 0) {
      double total;
      if (recv(fd, &total, sizeof total, MSG_DONTWAIT) != sizeof total) continue;
      if (total > told) window_count(&load->window, (uint64_t)(total - told));
      in_flight -= total - told;
      told = total;
      heard = now_ns();
    } else if (now_ns() - heard > GIVE_UP_NS) {
      in_flight = 0;
    }
  }
  window_print(&load->window, NULL);
  return 0;
}
