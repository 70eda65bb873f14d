#include "reactor/poller.h"

namespace sock::reactor {

std::span<const Backend> backends() {
  static constexpr Backend kBackends[] = {
      {"epoll", make_epoll_poller},
      {"poll", make_poll_poller},
  };
  return kBackends;
}

}  // namespace sock::reactor
