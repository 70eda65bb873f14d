// Datagrams on a source: many by one call, read until the kernel says that there are no more.
#pragma once

#include "reactor/reactor.h"
#include "sys/datagram_calls.h"

namespace sock::net {

struct DatagramMode {
  // Registers for readiness when nothing is there, or room when the kernel takes no more.
  bool wait = false;
  // The socket's errors are told by its error queue (IP_RECVERR): here they only interrupt.
  bool passes_errors = false;
};

// How many entries were filled, at least one, or a negative errno.
sys::IoResult receive_datagrams(reactor::Reactor& reactor, reactor::Source& source,
                                sys::DatagramCalls& calls, const sys::ReceiveSlots& slots,
                                DatagramMode mode);

sys::SendProgress send_datagrams(reactor::Reactor& reactor, reactor::Source& source,
                                 sys::DatagramCalls& calls, const sys::SendSlots& slots,
                                 DatagramMode mode);

}  // namespace sock::net
