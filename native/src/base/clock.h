// The one clock: monotonic milliseconds with a fraction.
#pragma once

#include <chrono>

namespace sock {

inline double now_ms() {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Milliseconds>(since_boot).count();
}

}  // namespace sock
