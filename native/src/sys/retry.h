// Calls a system call again for as long as a signal interrupts it.
#pragma once

#include <cerrno>

namespace sock::sys {

template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace sock::sys
