#pragma once

namespace sock::sys {

// For a thread whose work can wait for others of this process: where both want one processor, it
// gets a tenth of it. A system that refuses, or knows no priorities of threads, is let be.
void lower_thread_priority();

}  // namespace sock::sys
