#include "window.h"

#include <stdio.h>
#include <string.h>

static size_t bucket_of(uint64_t value) {
  if (value < HISTOGRAM_SUB) return (size_t)value;
  unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
  return (exponent - 4u) * HISTOGRAM_SUB + ((value >> (exponent - 5u)) & (HISTOGRAM_SUB - 1u));
}

static uint64_t bucket_floor(size_t bucket) {
  if (bucket < HISTOGRAM_SUB) return bucket;
  size_t exponent = bucket / HISTOGRAM_SUB + 4u;
  return (uint64_t)(HISTOGRAM_SUB + bucket % HISTOGRAM_SUB) << (exponent - 5u);
}

static double quantile_us(const struct histogram* histogram, double share) {
  uint64_t rank = (uint64_t)((double)histogram->total * share);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < 64 * HISTOGRAM_SUB; bucket++) {
    seen += histogram->counts[bucket];
    if (seen > rank) return (double)bucket_floor(bucket) / 1000.0;
  }
  return 0;
}

static uint64_t servers_cpu_ns(const struct window* window) {
  uint64_t sum = 0;
  for (size_t i = 0; i < window->server_count; i++) sum += process_cpu_ns(window->servers[i]);
  return sum;
}

static void begin_measuring(struct window* window, uint64_t now) {
  window->phase = PHASE_MEASURING;
  window->operations = 0;
  window->errors = 0;
  memset(&window->latency, 0, sizeof window->latency);
  puts("{\"phase\":\"measuring\"}");
  fflush(stdout);
  window->begin = now;
  window->end = now + (uint64_t)(window->seconds * 1e9);
  window->cpu = servers_cpu_ns(window);
}

void window_open(struct window* window) {
  window->phase = PHASE_WARMUP;
  window->begin = now_ns();
  window->end = window->begin + (uint64_t)(window->warmup * 1e9);
}

enum phase window_advance(struct window* window, uint64_t now) {
  if (window->phase == PHASE_DONE || now < window->end) return window->phase;
  if (window->phase == PHASE_WARMUP) {
    begin_measuring(window, now);
    return window->phase;
  }
  window->cpu = servers_cpu_ns(window) - window->cpu;
  window->end = now;
  window->phase = PHASE_DONE;
  return window->phase;
}

void window_count(struct window* window, uint64_t operations) {
  if (window->phase != PHASE_DONE) window->operations += operations;
}

void window_record(struct window* window, uint64_t latency, uint64_t operations) {
  if (window->phase == PHASE_DONE) return;
  window->operations += operations;
  window->latency.counts[bucket_of(latency)]++;
  window->latency.total++;
}

void window_print(const struct window* window, const char* congestion) {
  double seconds = (double)(window->end - window->begin) / 1e9;
  printf(
      "{\"operations\":%llu,\"seconds\":%.6f,\"perSecond\":%.1f,\"p50Us\":%.2f,\"p99Us\":%.2f,"
      "\"errors\":%llu,\"serverCpuSeconds\":%.9f",
      (unsigned long long)window->operations, seconds, (double)window->operations / seconds,
      quantile_us(&window->latency, 0.5), quantile_us(&window->latency, 0.99),
      (unsigned long long)window->errors, (double)window->cpu / 1e9);
  if (congestion != NULL) printf(",\"congestion\":\"%s\"", congestion);
  puts("}");
  fflush(stdout);
}
