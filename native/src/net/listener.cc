#include "net/listener.h"

#include <poll.h>

#include <cerrno>
#include <utility>

namespace sock::net {

bool is_out_of_resources(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

namespace {

void refuse(reactor::Reactor& reactor, sys::UniqueFd connection) {
  sys::abort_connection(std::move(connection));
  reactor.counters().add(Counter::kAcceptRejects);
  reactor.counters().add(Counter::kCloses);
}

bool has_connection(const reactor::Source& source) {
  Result<int> events = sys::wait_for(source.fd.get(), POLLIN, 0);
  // What is wrong with it, accept4 tells.
  return !events.ok() || events.value() != 0;
}

}  // namespace

Result<Accepted> accept(reactor::Reactor& reactor, reactor::Source& source, Report report,
                        bool wait, Guard* guard) {
  const reactor::Token token = source.token;
  Error error{EAGAIN, Syscall::kAccept};
  bool is_drained = false;
  for (int refusals = 0; refusals < kRefusalsMax; refusals++) {
    const bool is_reported = report == Report::kConnection && refusals == 0;
    if (!is_reported && !has_connection(source)) {
      is_drained = true;
      break;
    }
    Accepted accepted;
    Result<sys::UniqueFd> fd = sys::accept_socket(source.fd.get(), &accepted.peer);
    if (!fd.ok()) {
      error = fd.error();
      is_drained = error.code == EAGAIN;
      break;
    }
    accepted.fd = fd.take();
    reactor.counters().add(Counter::kAccepts);
    if (guard == nullptr || guard->admits(accepted.peer)) return accepted;
    refuse(reactor, std::move(accepted.fd));
    if (reactor.slots().find(token) == nullptr) return Error{EBADF, Syscall::kAccept};
  }
  if (error.code == EAGAIN && wait && !source.registered()) {
    const Status armed = reactor.await(source, reactor::kRead);
    if (!armed.ok()) return armed.error();
  }
  if (is_drained) reactor.mark_drained(source);
  if (is_out_of_resources(error.code)) reactor.forget(source);
  return error;
}

}  // namespace sock::net
