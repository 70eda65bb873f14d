#include "sys/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace sock::sys {

namespace {

// Each step of niceness is a factor of 1.25 (sched(7)): ten are one of nine.
constexpr int kStepsBelow = 10;
constexpr int kNiceMax = 19;

// From Linux 6.12 on a thread that wakes up interrupts one that asked for longer runs than itself;
// else it waits until that has had its run, of about 3 ms. Earlier kernels do not look at this.
constexpr uint64_t kLongRunNs = 20'000'000;

// That of sched_setattr(2), for which glibc has had no name before 2.41.
struct Attributes {
  uint32_t size = sizeof(Attributes);
  uint32_t policy = SCHED_BATCH;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = kLongRunNs;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};

}  // namespace

void lower_thread_priority() {
  // Linux has a nice value for each thread, where POSIX has one for each process.
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  Attributes attributes;
  attributes.nice = std::min(::getpriority(PRIO_PROCESS, thread) + kStepsBelow, kNiceMax);
  ::syscall(SYS_sched_setattr, thread, &attributes, 0);
}

}  // namespace sock::sys
