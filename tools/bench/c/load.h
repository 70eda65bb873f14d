// A closed-loop load generator: every connection waits for its answer before it asks again.
#ifndef SOCK_BENCH_LOAD_H
#define SOCK_BENCH_LOAD_H

#include "window.h"

struct load {
  struct sockaddr_storage address;
  socklen_t address_size;
  size_t connections;
  size_t size;        // bytes of one message
  size_t pipeline;    // messages written together
  const char* evict;  // a file that is taken out of the cache before each time it is asked for
  bool resume;        // every handshake of TLS but a slot's first one
  double rate;        // operations per second over all connections, 0 = as fast as answers come
  struct window window;
};

// What a program can do, the last one without a name.
struct mode {
  const char* name;
  int (*run)(struct load* load);
};
extern const struct mode kModes[];

// Hands out the moments at which paced work is due, and the connections that are free to do it.
struct pacer {
  uint64_t interval;  // ns between two starts, 0 = not paced
  uint64_t due;
  size_t* idle;  // ring of connection numbers, as long as there are connections
  size_t capacity;
  size_t head;
  size_t count;
};

void pacer_open(struct pacer* pacer, const struct load* load, size_t operations_per_start);
void pacer_release(struct pacer* pacer, size_t index);
// True when a start is due at `now` and a connection is free; the start's due time comes back too,
// since waiting for a slow server belongs to the latency.
bool pacer_take(struct pacer* pacer, uint64_t now, size_t* index, uint64_t* due);

// Waits until an event, the next due start or the end of the phase.
int wait_for_events(int epoll, void* events, int capacity, const struct load* load,
                    const struct pacer* pacer);

// A blocking connect, from `source` (host order, 0 = the kernel's choice) for IPv4.
int connect_socket(const struct load* load, uint32_t source);
// The same for one of many short connections, from the next of 60,000 addresses: one alone runs out
// of ports.
int connect_from_next(const struct load* load);

// What every message carries: bytes that differ by connection, position and turn.
void fill_pattern(uint8_t* bytes, size_t size, uint64_t seed);

// The name that counts is the one in force on a connection, not the one that was asked for.
const char* congestion_of(int fd);

int run_echo(struct load* load);
int run_http(struct load* load);
int run_connect(struct load* load);
int run_knock(struct load* load);
int run_file(struct load* load);
int run_idle(struct load* load);
int run_udp_echo(struct load* load);
int run_udp_send(struct load* load);
int run_udp_receive(struct load* load);

#endif
