#include "net/stream.h"

#include <poll.h>

#include <cerrno>

namespace sock::net {

using reactor::Interest;
using reactor::Kind;
using reactor::Reactor;
using reactor::Source;

namespace {

// Registers for the direction unless that is done; an error of the poller is the result then.
sys::IoResult arm(Reactor& reactor, Source& source, Interest direction, sys::IoResult result) {
  const Status armed = reactor.await(source, direction);
  return armed.ok() ? result : -armed.error().code;
}

// A short read proves TCP drained, and saves the call that would say EAGAIN, but only while no
// hang-up was reported: data and FIN may have come in one edge, and no further one will
// (epoll(7), "Do I need to continuously read/write a file descriptor until EAGAIN"). Unix streams
// stop a read at a passed descriptor, so there a short read proves nothing.
bool proves_drained(const Source& source, size_t received, size_t asked) {
  return source.kind == Kind::kTcp && !source.broken_off && received < asked;
}

}  // namespace

sys::IoResult note_received(Reactor& reactor, Source& source, sys::IoResult result, size_t size,
                            bool wait) {
  if (result > 0) {
    source.bytes_received += static_cast<uint64_t>(result);
    reactor.counters().add(Counter::kBytesReceived, static_cast<uint64_t>(result));
    if (proves_drained(source, static_cast<size_t>(result), size)) reactor.mark_drained(source);
    return result;
  }
  if (result == -EAGAIN) {
    if (wait && !source.registered()) {
      const sys::IoResult armed = arm(reactor, source, reactor::kRead, result);
      if (armed != result) return armed;
    }
    reactor.mark_drained(source);
  }
  return result;
}

sys::IoResult note_sent(Reactor& reactor, Source& source, sys::IoResult result, size_t size,
                        bool wait) {
  // With Fast Open the first send is the connect: its SYN has left, but took no data along.
  if (result == -EINPROGRESS) result = -EAGAIN;
  if (result > 0) {
    source.bytes_sent += static_cast<uint64_t>(result);
    reactor.counters().add(Counter::kBytesSent, static_cast<uint64_t>(result));
  }
  const bool full = result == -EAGAIN || (result >= 0 && static_cast<size_t>(result) < size);
  if (!full) return result;
  if (wait && (source.interest & reactor::kWrite) == 0) {
    const sys::IoResult armed = arm(reactor, source, reactor::kWrite, result);
    // Bytes that are gone are told first. The socket is not marked full then: no event will come,
    // and the next attempt, which sends nothing, gets the error.
    if (armed != result) return result < 0 ? armed : result;
  }
  reactor.mark_full(source);
  return result;
}

sys::IoResult receive(Reactor& reactor, Source& source, void* data, size_t size, bool wait) {
  return note_received(reactor, source, sys::receive(source.fd.get(), data, size), size, wait);
}

sys::IoResult receive_vector(Reactor& reactor, Source& source, std::span<iovec> parts, bool wait) {
  const sys::IoResult result = sys::receive_vector(source.fd.get(), parts);
  return note_received(reactor, source, result, sys::size_of(parts), wait);
}

sys::IoResult send(Reactor& reactor, Source& source, const void* data, size_t size, bool wait) {
  return note_sent(reactor, source, sys::send(source.fd.get(), data, size), size, wait);
}

sys::IoResult send_vector(Reactor& reactor, Source& source, std::span<iovec> parts, bool wait) {
  const sys::IoResult result = sys::send_vector(source.fd.get(), parts);
  return note_sent(reactor, source, result, sys::size_of(parts), wait);
}

sys::IoResult receive_message(Reactor& reactor, Source& source, void* data, size_t size,
                              sys::MessageKind kind, sys::IncomingMessage& message, bool wait) {
  const sys::IoResult result = sys::receive_message(source.fd.get(), data, size, kind, message);
  const bool tells =
      kind == sys::MessageKind::kNext || (kind == sys::MessageKind::kPeek && result == -EAGAIN);
  return tells ? note_received(reactor, source, result, size, wait) : result;
}

sys::IoResult send_message(Reactor& reactor, Source& source, const sys::OutgoingMessage& message,
                           bool wait) {
  const sys::IoResult result = sys::send_message(source.fd.get(), message);
  return note_sent(reactor, source, result, sys::size_of(message.parts), wait);
}

int connect(Reactor& reactor, Source& source, const sys::SockAddr& address, bool wait) {
  const Status status = sys::connect_socket(source.fd.get(), address);
  if (status.ok()) return 0;
  const int code = status.error().code;
  if (code != EINPROGRESS || !wait) return -code;
  const Status armed = reactor.await(source, reactor::kWrite);
  if (!armed.ok()) return -armed.error().code;
  reactor.mark_full(source);
  return -code;
}

int connect_outcome(Source& source) {
  Result<int> ready = sys::wait_for(source.fd.get(), POLLOUT, 0);
  if (!ready.ok()) return -ready.error().code;
  Result<int> pending = sys::get_option(source.fd.get(), SOL_SOCKET, SO_ERROR);
  if (!pending.ok()) return -pending.error().code;
  if (pending.value() != 0) return -pending.value();
  return ready.value() == 0 ? -EINPROGRESS : 0;
}

}  // namespace sock::net
