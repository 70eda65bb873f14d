// A thread that nobody waits for: what it touches must outlive whoever started it.
#pragma once

#include <cstddef>
#include <functional>

namespace sock::sys {

// Returns an errno. Signals belong to the threads of the process that expect them: this one blocks
// them all, from its first instruction.
int start_detached_thread(size_t stack_size, std::function<void()> body);

}  // namespace sock::sys
