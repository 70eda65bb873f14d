#include "reactor/reactor.h"

namespace sock::reactor {

// Write readiness comes for free on TCP: its edges are rare. A Unix socket becomes "writable" at
// every message that its peer takes, so there it is asked for only while a sender waits.
Interest Reactor::wanted_interest(const Source& source, Interest direction) const {
  switch (source.kind) {
    case Kind::kTcp:
      return kRead | kWrite;
    case Kind::kStream:
      return static_cast<Interest>(kRead | direction);
    case Kind::kListener:
      return kRead | kLevel;
  }
  return direction;
}

Status Reactor::await(Source& source, Interest direction) {
  const Interest wanted = wanted_interest(source, direction);
  if (!source.registered()) {
    Status added = poller_->add(source.fd.get(), source.token, wanted);
    if (!added.ok()) return added;
    source.interest = wanted;
    if (source.kind == Kind::kTcp && !poller_->sees_urgent()) source.broken_off = true;
    source.set(flag::kRegistered);
    return Nothing{};
  }
  if ((source.interest & wanted) != wanted) {
    Status modified = poller_->modify(source.fd.get(), source.token, wanted);
    if (!modified.ok()) return modified;
    source.interest = wanted;
    return Nothing{};
  }
  poller_->rearm(source.fd.get(), source.token, direction);
  return Nothing{};
}

Source* Reactor::note(const Event& event) {
  Source* source = slots_.find(event.token);
  if (source == nullptr) return nullptr;
  if ((event.ready & kReadable) != 0) source->set(flag::kReadable);
  if ((event.ready & kWritable) != 0) {
    source->set(flag::kWritable);
    if (source->kind == Kind::kStream && (source->interest & kWrite) != 0) {
      // Failing to narrow the interest only costs spurious wake-ups.
      if (poller_->modify(source->fd.get(), source->token, kRead).ok()) source->interest = kRead;
    }
  }
  if ((event.ready & (kHangup | kError | kUrgent)) != 0) source->broken_off = true;
  return source;
}

void Reactor::mark_drained(Source& source) {
  if (!source.registered()) return;
  source.clear(flag::kReadable);
  poller_->rearm(source.fd.get(), source.token, kRead);
}

void Reactor::mark_full(Source& source) {
  if ((source.interest & kWrite) == 0) return;
  source.clear(flag::kWritable);
  poller_->rearm(source.fd.get(), source.token, kWrite);
}

void Reactor::forget(Source& source) {
  if (!source.registered()) return;
  poller_->remove(source.fd.get(), source.token);
  source.interest = 0;
  source.clear(flag::kRegistered);
}

sys::UniqueFd Reactor::release(Source& source) {
  forget(source);
  sys::UniqueFd fd = std::move(source.fd);
  slots_.free(source);
  return fd;
}

void Reactor::close(Source& source) {
  counters_.add(Counter::kCloses);
  release(source).reset();
}

}  // namespace sock::reactor
