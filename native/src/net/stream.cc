#include "net/stream.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.h"

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

}  // namespace

void count_received(Reactor& reactor, Source& source, uint64_t bytes) {
  source.bytes_received += bytes;
  reactor.counters().add(Counter::kBytesReceived, bytes);
}

void count_sent(Reactor& reactor, Source& source, uint64_t bytes) {
  source.bytes_sent += bytes;
  reactor.counters().add(Counter::kBytesSent, bytes);
}

bool proves_drained(const Source& source, size_t received, size_t asked) {
  return source.kind == Kind::kTcp && !source.broken_off && received < asked;
}

sys::IoResult note_received(Reactor& reactor, Source& source, sys::IoResult result, size_t size,
                            bool wait) {
  if (result > 0) {
    if (source.filter == nullptr) count_received(reactor, source, static_cast<uint64_t>(result));
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
  if (result > 0 && source.filter == nullptr) {
    count_sent(reactor, source, static_cast<uint64_t>(result));
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

namespace {

// The flag tells JavaScript, and the turn, that there is something to flush.
sys::IoResult note_held(Reactor& reactor, Source& source, sys::IoResult result) {
  if (!source.filter->holds_output()) {
    source.clear(reactor::flag::kHeld);
    return result;
  }
  source.set(reactor::flag::kHeld);
  // An error is there to be told, and no event would come.
  if (result < 0 && result != -EAGAIN) return result;
  const sys::IoResult armed = arm(reactor, source, reactor::kWrite, result);
  if (armed != result) return result < 0 ? armed : result;
  reactor.mark_full(source);
  return result;
}

sys::IoResult receive_filtered(Reactor& reactor, Source& source, void* data, size_t size,
                               bool wait) {
  reactor::Filter& filter = *source.filter;
  const sys::IoResult result = filter.receive(data, size);
  // What a short answer says about the source, the filter knows better.
  const sys::IoResult told = note_received(reactor, source, result, 0, wait);
  source.clear(reactor::flag::kUnread);
  if (filter.holds_input()) {
    source.set(reactor::flag::kReadable | reactor::flag::kUnread);
  } else if (told > 0 && !filter.may_receive()) {
    reactor.mark_drained(source);
  }
  // Receiving may have made it answer.
  return note_held(reactor, source, told);
}

// Small parts share a record, as they would share a segment: each record costs some 22 bytes and as
// much work as a kilobyte.
sys::IoResult send_filtered_vector(Reactor& reactor, Source& source, std::span<const iovec> parts,
                                   bool wait) {
  std::array<std::byte, 16 * 1024> block;
  sys::IoResult sent = 0;
  for (size_t next = 0; next < parts.size();) {
    size_t filled = 0;
    const size_t first = next;
    for (; next < parts.size() && filled + parts[next].iov_len <= block.size(); next++) {
      std::memcpy(block.data() + filled, parts[next].iov_base, parts[next].iov_len);
      filled += parts[next].iov_len;
    }
    const bool is_large = next == first;
    if (is_large) filled = parts[next++].iov_len;
    const void* data = is_large ? parts[first].iov_base : block.data();
    const sys::IoResult result = send(reactor, source, data, filled, wait);
    if (result < 0) return sent > 0 ? sent : result;
    sent += result;
    if (static_cast<size_t>(result) < filled) break;
  }
  return sent;
}

}  // namespace

sys::IoResult flush(Reactor& reactor, Source& source) {
  if (source.filter == nullptr) return 0;
  return note_held(reactor, source, source.filter->flush());
}

Result<int> wait_for(Reactor& reactor, Source& source, int events, double timeout_ms) {
  const double start_ms = now_ms();
  for (double left_ms = timeout_ms;;) {
    const bool holds = source.filter != nullptr && source.filter->holds_output();
    const int asked = holds ? events | POLLOUT : events;
    Result<int> ready = sys::wait_for(source.fd.get(), asked, left_ms);
    if (!holds || !ready.ok() || ready.value() == 0) return ready;
    // What is in its way for good is told by the call that comes after the wait.
    const sys::IoResult flushed = flush(reactor, source);
    const bool is_broken = flushed < 0 && flushed != -EAGAIN;
    if (is_broken || (ready.value() & ~POLLOUT) != 0 || (events & POLLOUT) != 0) return ready;
    if (timeout_ms >= 0) left_ms = std::max(0.0, timeout_ms - (now_ms() - start_ms));
  }
}

sys::IoResult note_stepped(Reactor& reactor, Source& source, sys::IoResult result, bool wait) {
  const sys::IoResult told =
      result == -EAGAIN ? note_received(reactor, source, result, 0, wait) : result;
  return note_held(reactor, source, told);
}

sys::IoResult receive(Reactor& reactor, Source& source, void* data, size_t size, bool wait) {
  if (source.filter != nullptr) return receive_filtered(reactor, source, data, size, wait);
  return note_received(reactor, source, sys::receive(source.fd.get(), data, size), size, wait);
}

sys::IoResult receive_vector(Reactor& reactor, Source& source, std::span<iovec> parts, bool wait) {
  if (source.filter != nullptr) {
    sys::IoResult filled = 0;
    for (const iovec& part : parts) {
      const sys::IoResult result =
          receive_filtered(reactor, source, part.iov_base, part.iov_len, wait);
      if (result <= 0) return filled > 0 ? filled : result;
      filled += result;
      if (static_cast<size_t>(result) < part.iov_len) break;
    }
    return filled;
  }
  const sys::IoResult result = sys::receive_vector(source.fd.get(), parts);
  return note_received(reactor, source, result, sys::size_of(parts), wait);
}

sys::IoResult send(Reactor& reactor, Source& source, const void* data, size_t size, bool wait) {
  if (source.filter != nullptr) {
    const sys::IoResult result = source.filter->send(data, size);
    return note_held(reactor, source, note_sent(reactor, source, result, size, wait));
  }
  return note_sent(reactor, source, sys::send(source.fd.get(), data, size), size, wait);
}

sys::IoResult send_vector(Reactor& reactor, Source& source, std::span<iovec> parts, bool wait) {
  if (source.filter != nullptr) return send_filtered_vector(reactor, source, parts, wait);
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
