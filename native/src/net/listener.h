// Accepting on a listening source.
#pragma once

#include "reactor/reactor.h"
#include "sys/socket_calls.h"

namespace sock::net {

struct Accepted {
  sys::UniqueFd fd;
  sys::SockAddr peer;
};

// EAGAIN when nothing waits (registered for readiness if `wait`). Listeners are level-triggered:
// one accept4 per connection is enough, and none is spent on hearing EAGAIN.
Result<Accepted> accept(reactor::Reactor& reactor, reactor::Source& source, bool wait);

// True for errors that say "out of something, not now": the listener leaves the poller, which
// would report it without end, and the owner tries again later.
bool is_out_of_resources(int code);

}  // namespace sock::net
