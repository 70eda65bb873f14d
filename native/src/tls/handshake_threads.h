// Makes the steps of handshakes that take long, such as to sign with RSA, on threads: a storm of
// them must not hold up the event loop.
#pragma once

#include <memory>
#include <vector>

#include "reactor/poller.h"
#include "tls/wire.h"

namespace sock::tls {

// The threads are the process's, as many as it has processors, up to kThreadsMax; this is one
// user's door to them. All methods are for one thread, the owner's.
class HandshakeThreads {
 public:
  static constexpr unsigned kThreadsMax = 4;
  static constexpr unsigned kIdleMs = 5000;  // a thread with nothing to do for so long ends

  // `notify` is called on any thread when take() has something new, and never once the destructor
  // has returned.
  HandshakeThreads(void (*notify)(void*), void* notify_argument);
  // Does not wait: steps under way go on, and nobody hears of them.
  ~HandshakeThreads();
  HandshakeThreads(const HandshakeThreads&) = delete;
  HandshakeThreads& operator=(const HandshakeThreads&) = delete;

  // The wire has been lent. A step that waits is dropped when nobody else has the wire any more.
  void submit(reactor::Token owner, std::shared_ptr<Wire> wire);
  // The owners whose steps have been made.
  std::vector<reactor::Token> take();

 private:
  struct Inbox;
  std::shared_ptr<Inbox> inbox_;
};

}  // namespace sock::tls
