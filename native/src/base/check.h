// Invariants. SOCK_CHECK is always on: a broken invariant means that memory or a descriptor may
// already belong to somebody else, and going on would be worse than stopping.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace sock {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "@sock/native: broken invariant: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace sock

#define SOCK_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::sock::check_failed(#condition, __FILE__, __LINE__))
