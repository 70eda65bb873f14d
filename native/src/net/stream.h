// The stream operations on a source: try first, and let the answer update what is known.
#pragma once

#include <cstddef>
#include <span>

#include "reactor/reactor.h"
#include "sys/message_calls.h"
#include "sys/socket_calls.h"

namespace sock::net {

// Bytes received (0: the peer's orderly end) or a negative errno. `wait` registers the source when
// nothing was there, so that its next readiness is reported.
sys::IoResult receive(reactor::Reactor& reactor, reactor::Source& source, void* data, size_t size,
                      bool wait);

// As receive, into several places, filled in order.
sys::IoResult receive_vector(reactor::Reactor& reactor, reactor::Source& source,
                             std::span<iovec> parts, bool wait);

// Bytes taken by the kernel or a negative errno. `wait` asks for write readiness when the kernel
// did not take all of it.
sys::IoResult send(reactor::Reactor& reactor, reactor::Source& source, const void* data,
                   size_t size, bool wait);

// As send, of what lies in several places.
sys::IoResult send_vector(reactor::Reactor& reactor, reactor::Source& source,
                          std::span<iovec> parts, bool wait);

// Hands on what the source's filter holds: 0 once nothing is left, or a negative errno.
sys::IoResult flush(reactor::Reactor& reactor, reactor::Source& source);

// As sys::wait_for. What the source's filter holds is handed on meanwhile: nobody else would.
Result<int> wait_for(reactor::Reactor& reactor, reactor::Source& source, int events,
                     double timeout_ms);

// What a step of the source's filter that moved no bytes of users has said.
sys::IoResult note_stepped(reactor::Reactor& reactor, reactor::Source& source, sys::IoResult result,
                           bool wait);

// What went over the descriptor, for the figures of the source and of the thread.
void count_received(reactor::Reactor& reactor, reactor::Source& source, uint64_t bytes);
void count_sent(reactor::Reactor& reactor, reactor::Source& source, uint64_t bytes);

// A short read proves TCP drained, and saves the call that would say EAGAIN, but only while no
// hang-up was reported: data and FIN may have come in one edge, and no further one will
// (epoll(7), "Do I need to continuously read/write a file descriptor until EAGAIN"). Unix streams
// stop a read at a passed descriptor, so there a short read proves nothing.
bool proves_drained(const reactor::Source& source, size_t received, size_t asked);

// What the answer of a receive or send of `size` bytes, made by other means, says about the source;
// returns it, or the error of the poller. A size of 1 where a short answer says nothing.
sys::IoResult note_received(reactor::Reactor& reactor, reactor::Source& source,
                            sys::IoResult result, size_t size, bool wait);
sys::IoResult note_sent(reactor::Reactor& reactor, reactor::Source& source, sys::IoResult result,
                        size_t size, bool wait);

// As receive, with what came beside the bytes. Only a message that is taken and not looked at, nor
// urgent, says anything about the others.
sys::IoResult receive_message(reactor::Reactor& reactor, reactor::Source& source, void* data,
                              size_t size, sys::MessageKind kind, sys::IncomingMessage& message,
                              bool wait);

// As send, with something beside the bytes.
sys::IoResult send_message(reactor::Reactor& reactor, reactor::Source& source,
                           const sys::OutgoingMessage& message, bool wait);

// Starts a connection: 0 when it is there at once, -EINPROGRESS when write readiness (which is
// asked for with `wait`) will tell, or another negative errno.
int connect(reactor::Reactor& reactor, reactor::Source& source, const sys::SockAddr& address,
            bool wait);

// What became of a connection under way: 0, -EINPROGRESS, or the negative errno it failed with.
int connect_outcome(reactor::Source& source);

}  // namespace sock::net
