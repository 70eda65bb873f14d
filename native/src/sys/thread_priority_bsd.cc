#include "sys/thread_priority.h"

namespace sock::sys {

// Priorities belong to processes here (setpriority(2)).
void lower_thread_priority() {}

}  // namespace sock::sys
