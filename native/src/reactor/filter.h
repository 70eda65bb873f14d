// What may stand between a source's descriptor and those who receive from and send to it: TLS.
#pragma once

#include <cstddef>

#include "sys/socket_calls.h"

namespace sock::reactor {

// Below a filter: a descriptor, or memory in a test. Results are as of recv(2) and send(2), with a
// negative errno for errors.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual sys::IoResult receive(void* data, size_t size) = 0;
  virtual sys::IoResult send(const void* data, size_t size, sys::Follows follows) = 0;
  // As sys::send_room().
  virtual size_t send_room() const = 0;
  // A new receive begins above: what was known of this one's emptiness is known no longer.
  virtual void begin_receive() = 0;
  // The last receive has proved that another would bring nothing before an event comes.
  virtual bool drained() const = 0;
};

class Filter {
 public:
  virtual ~Filter() = default;
  // As Transport, of the bytes that users see. -EPROTO: the filter has failed and knows why.
  virtual sys::IoResult receive(void* data, size_t size) = 0;
  // Takes no byte while output is held, and always takes some otherwise.
  virtual sys::IoResult send(const void* data, size_t size) = 0;
  // Whether another receive brings something that the transport has no more; whether it may.
  virtual bool holds_input() const = 0;
  virtual bool may_receive() const = 0;
  // Bytes that were taken from users are still here, since the transport did not take them.
  virtual bool holds_output() const = 0;
  // Hands them on: 0 once none are left, -EAGAIN, or another negative errno.
  virtual sys::IoResult flush() = 0;
};

}  // namespace sock::reactor
