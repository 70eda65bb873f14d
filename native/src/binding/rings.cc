#include "binding/rings.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "binding/context.h"
#include "sys/unique_fd.h"

namespace sock::binding {

using reactor::Completion;
using Kind = RequestOwner::Kind;

namespace {

int32_t kind_of(const Completion& completion) {
  return static_cast<int32_t>(completion.more ? Record::kProgress : Record::kCompleted);
}

void count_bytes(Context& context, const RequestOwner& owner, int32_t result) {
  if (result <= 0) return;
  const auto bytes = static_cast<uint64_t>(result);
  reactor::Source* source = context.reactor().slots().find(owner.token);
  const bool is_receive = owner.kind == Kind::kReceive;
  context.reactor().counters().add(is_receive ? Counter::kBytesReceived : Counter::kBytesSent,
                                   bytes);
  if (source != nullptr) (is_receive ? source->bytes_received : source->bytes_sent) += bytes;
}

void record_received(Context& context, const Completion& completion) {
  int32_t kind = kind_of(completion);
  const size_t size = completion.bytes.size();
  if (size == 0) {
    context.record(completion.key, kind, completion.result, 0);
    return;
  }
  const ReceiveMemory::Place place = context.memory().reserve(size);
  if (place.data == nullptr) {
    context.record(completion.key, kind, -ENOMEM, 0);
    return;
  }
  // A ring's buffers are no larger than what there is always room for.
  SOCK_CHECK(place.size == size);
  std::memcpy(place.data, completion.bytes.data(), size);
  const ReceiveMemory::Chunk chunk = context.memory().keep(size);
  kind |= static_cast<int32_t>(chunk.buffer << 8);
  context.record(completion.key, kind, completion.result, chunk.offset);
}

void record_accepted(Context& context, const Completion& completion, bool is_unix) {
  const int32_t kind = kind_of(completion);
  if (completion.result < 0) {
    context.record(completion.key, kind, completion.result, 0);
    return;
  }
  context.reactor().counters().add(Counter::kAccepts);
  const auto kind_of_source = is_unix ? reactor::Kind::kStream : reactor::Kind::kTcp;
  reactor::Source* source = context.adopt(sys::UniqueFd(completion.result), kind_of_source);
  if (source == nullptr) {
    context.record(completion.key, kind, -ENOMEM, 0);
    return;
  }
  context.record(completion.key, kind, source->token.index, source->token.generation);
}

void record_completion(Context& context, const RequestOwner& owner, const Completion& completion) {
  context.reactor().counters().add(Counter::kIoUringCompletions);
  switch (owner.kind) {
    case Kind::kReceive:
      count_bytes(context, owner, completion.result);
      record_received(context, completion);
      break;
    case Kind::kSend:
      count_bytes(context, owner, completion.result);
      context.record(completion.key, kind_of(completion), completion.result, 0);
      break;
    case Kind::kAcceptInet:
    case Kind::kAcceptUnix:
      record_accepted(context, completion, owner.kind == Kind::kAcceptUnix);
      break;
  }
}

}  // namespace

Result<uint32_t> Rings::open(Context& context, const reactor::RingConfig& config) {
  Result<std::unique_ptr<reactor::Ring>> made = reactor::make_ring(config);
  if (!made.ok()) return made.error();
  std::unique_ptr<reactor::Ring> ring = made.take();
  const uint32_t id = last_id_ + 1;
  // By edge: every signal is told, and nobody has to read the eventfd.
  const Status watched = context.reactor().poller().add(
      ring->event_fd(), reactor::Token{kTokenIndex, id}, reactor::kRead);
  if (!watched.ok()) return watched.error();
  last_id_ = id;
  entries_[id].ring = std::move(ring);
  return id;
}

RingEntry* Rings::find(int32_t id) {
  const auto found = entries_.find(static_cast<uint32_t>(id));
  return found == entries_.end() || found->second.is_closing ? nullptr : &found->second;
}

void Rings::drop(Context& context, uint32_t id) {
  context.reactor().poller().remove(entries_[id].ring->event_fd(), reactor::Token{kTokenIndex, id});
  entries_.erase(id);
}

void Rings::close(Context& context, RingEntry& entry) {
  entry.is_closing = true;
  entry.ring->cancel_all();
  // Not quiet: whoever has completions to hear of is woken for them.
  (void)entry.ring->submit(false).ok();
  if (entry.ring->pending() > 0) return;
  for (const auto& [id, other] : entries_) {
    if (&other != &entry) continue;
    drop(context, id);
    return;
  }
}

void Rings::abandon_all() {
  for (auto& [id, entry] : entries_) {
    entry.ring->cancel_all();
    // Sockets that wait in the kernel are let go of here, and not some time after the ring.
    (void)entry.ring->submit(true).ok();
  }
  entries_.clear();
}

bool Rings::note(Context& context, reactor::Token token) {
  if (token.index != kTokenIndex) return false;
  const auto found = entries_.find(token.generation);
  // A poller without edges of its own would report the same signal for ever.
  if (found != entries_.end() && context.reactor().poller().fd() < 0) {
    uint64_t signals = 0;
    const int fd = found->second.ring->event_fd();
    (void)!::read(fd, &signals, sizeof(signals));
    context.reactor().poller().rearm(fd, token, reactor::kRead);
  }
  return true;
}

void Rings::collect_from(Context& context, RingEntry& entry) {
  if (!entry.ring->is_due()) return;
  // What the kernel refuses stays queued, and is tried again by the next turn.
  (void)entry.ring->submit(true).ok();
  Completion completion;
  while (context.record_room() > 0 && entry.ring->take(completion)) {
    record_completion(context, entry.owners[completion.key], completion);
  }
}

void Rings::collect(Context& context) {
  for (auto next = entries_.begin(); next != entries_.end();) {
    const auto current = next++;
    collect_from(context, current->second);
    const RingEntry& entry = current->second;
    if (entry.is_closing && entry.ring->pending() == 0) drop(context, current->first);
  }
}

bool Rings::is_due() const {
  for (const auto& [id, entry] : entries_) {
    if (entry.ring->is_due()) return true;
  }
  return false;
}

}  // namespace sock::binding
