#include "net/listener.h"

#include <cerrno>

namespace sock::net {

bool is_out_of_resources(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

Result<Accepted> accept(reactor::Reactor& reactor, reactor::Source& source, bool wait) {
  Accepted accepted;
  Result<sys::UniqueFd> fd = sys::accept_socket(source.fd.get(), &accepted.peer);
  if (fd.ok()) {
    accepted.fd = fd.take();
    reactor.counters().add(Counter::kAccepts);
    return accepted;
  }
  const Error error = fd.error();
  if (error.code == EAGAIN && wait && !source.registered()) {
    const Status armed = reactor.await(source, reactor::kRead);
    if (!armed.ok()) return armed.error();
  }
  if (error.code == EAGAIN) reactor.mark_drained(source);
  if (is_out_of_resources(error.code)) reactor.forget(source);
  return error;
}

}  // namespace sock::net
