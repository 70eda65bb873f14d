// In the place of src/reactor/backends_linux.cc where the stand-in for kqueue is linked.
#include "reactor/poller.h"

namespace sock::reactor {

std::span<const Backend> backends() {
  static constexpr Backend kBackends[] = {
      {"epoll", make_epoll_poller},
      {"kqueue", make_kqueue_poller},
      {"poll", make_poll_poller},
  };
  return kBackends;
}

}  // namespace sock::reactor
