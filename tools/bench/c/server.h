// Reference servers in C: each makes the fewest system calls its work allows. They are the floor
// that the others are measured against, so look at their strace before trusting a ratio.
#ifndef SOCK_BENCH_SERVER_H
#define SOCK_BENCH_SERVER_H

#include "util.h"

// At least one message; large enough that one recv empties a busy socket.
#define READ_SIZE (64 * 1024)

// Output the kernel did not take; it waits for EPOLLOUT and holds further reads back.
struct backlog {
  size_t size;
  size_t sent;
  uint8_t bytes[];
};

// The head of a frame whose rest has not come yet.
struct carry {
  size_t size;
  uint8_t bytes[];
};

// Shared between the processes of one server, read by the one that answers `stats`.
struct counters {
  uint64_t wakeups;
  uint64_t accepted;
};

struct worker {
  int epoll;
  int listener;
  size_t frame_size;
  bool gather;
  struct counters* counters;
  struct backlog** backlogs;  // by fd
  struct carry** carries;     // by fd
  void** states;              // by fd, of the workloads that follow
  const char* file;           // what sendfile sends
  const char* identity;       // of TLS: a PEM file of a key and its certificate
  size_t upstream;            // the port that relay connects to
  size_t accept_batch;
  size_t full_batches;
};

struct workload {
  const char* name;
  void (*on_listener)(struct worker* worker);
  void (*on_socket)(struct worker* worker, int fd, uint32_t events);
};

// What a program serves, NULL at the end; the first one unless --workload says otherwise.
extern const struct workload* const kWorkloads[];
// Until stdin ends.
int run_server(int argc, char** argv);

// Answers the lines on stdin that every contender understands. False at the end of stdin.
bool run_commands(struct counters* counters, size_t workers);
// The echo workload over io_uring, until stdin ends.
void serve_by_ring(struct worker* worker, bool first, size_t workers);

extern const struct workload kEcho;
extern const struct workload kPipeline;
extern const struct workload kIdle;
extern const struct workload kConnect;
extern const struct workload kFlood;
extern const struct workload kSendfile;
extern const struct workload kRelay;
// Level-triggered: whether TLS holds bytes back is not the kernel's to know.
extern const struct workload kTlsEcho;
extern const struct workload kTlsIdle;
extern const struct workload kTlsConnect;
extern const struct workload kTlsBulk;
// Datagrams have no connections: all of them come to the listener.
extern const struct workload kUdpEcho;
extern const struct workload kUdpSend;
extern const struct workload kUdpSendEach;
extern const struct workload kUdpReceive;

// Of datagrams that are received and counted, so many are told of together.
#define ACK_EVERY 54

#endif
