// Accepting on a listening source.
#pragma once

#include "reactor/reactor.h"
#include "sys/socket_calls.h"

namespace sock::net {

struct Accepted {
  sys::UniqueFd fd;
  sys::SockAddr peer;
};

// Says of each connection whether it may come in, by its peer, before anybody else hears of it.
class Guard {
 public:
  virtual ~Guard() = default;
  virtual bool admits(const sys::SockAddr& peer) = 0;
};

// Connections that one accept() turns away; then others get their turn.
inline constexpr int kRefusalsMax = 64;

// Whether the poller has just said that a connection waits. Where it has not, poll(2) is asked
// first: ten times as cheap as an accept4 that finds none, for which the kernel makes a descriptor,
// a file and a socket before it looks.
enum class Report { kNone, kConnection };

// EAGAIN when nothing waits (registered for readiness if `wait`). Listeners are level-triggered:
// one accept4 per connection is enough, and none is spent on hearing EAGAIN.
//
// Whom the guard does not admit is reset and counted, and the next one is taken. EAGAIN also after
// kRefusalsMax of them: the source keeps its kReadable, and the poller goes on reporting it. EBADF
// when the guard has closed the source.
Result<Accepted> accept(reactor::Reactor& reactor, reactor::Source& source, Report report,
                        bool wait, Guard* guard = nullptr);

// True for errors that say "out of something, not now": the listener leaves the poller, which
// would report it without end, and the owner tries again later.
bool is_out_of_resources(int code);

}  // namespace sock::net
