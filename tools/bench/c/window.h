// The measured window of a load run: warm-up, then counting, then done.
#ifndef SOCK_BENCH_WINDOW_H
#define SOCK_BENCH_WINDOW_H

#include "util.h"

#define SERVERS_MAX 64

// Latencies in nanoseconds; 32 buckets to each power of two keep the error below 3.2 %.
#define HISTOGRAM_SUB 32
struct histogram {
  uint64_t counts[64 * HISTOGRAM_SUB];
  uint64_t total;
};

enum phase { PHASE_WARMUP, PHASE_MEASURING, PHASE_DONE };

struct window {
  double warmup;
  double seconds;
  pid_t servers[SERVERS_MAX];
  size_t server_count;

  enum phase phase;
  uint64_t begin;  // of the current phase
  uint64_t end;    // of the current phase
  uint64_t cpu;    // of all server processes, at the begin of the phase; then the difference
  uint64_t operations;
  uint64_t errors;
  struct histogram latency;
};

void window_open(struct window* window);

// Moves on when the current phase is over, samples the servers' CPU clocks at both ends of the
// measured one, and announces its begin on stdout.
enum phase window_advance(struct window* window, uint64_t now);

// Operations without a latency of their own: the MiB of a long transfer.
void window_count(struct window* window, uint64_t operations);
void window_record(struct window* window, uint64_t latency, uint64_t operations);

// One JSON line. `congestion` may be NULL.
void window_print(const struct window* window, const char* congestion);

#endif
