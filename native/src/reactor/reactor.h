// Sources, the poller that watches them, and the deadlines: one reactor per JavaScript thread.
//
// Theory of operation. A source is registered once, at the first wait, edge-triggered
// (listeners: level). From then on its two flags kReadable and kWritable say what is known: an
// event sets them, an EAGAIN (or a read that proves the socket drained) clears them, and clearing
// one arms that direction again. So a flag that is clear on a registered source means "an event
// will come", and whoever sees it set tries first. JavaScript reads the same flags: a receive that
// has to wait needs no crossing at all.
#pragma once

#include <memory>

#include "base/counters.h"
#include "base/result.h"
#include "reactor/deadlines.h"
#include "reactor/poller.h"
#include "reactor/slots.h"

namespace sock::reactor {

class Reactor {
 public:
  explicit Reactor(std::unique_ptr<Poller> poller) : poller_(std::move(poller)) {}
  // Closes what is still open.
  ~Reactor() { counters_.add(Counter::kCloses, slots_.used_count()); }

  Slots& slots() { return slots_; }
  Deadlines& deadlines() { return deadlines_; }
  Poller& poller() { return *poller_; }
  Counters& counters() { return counters_; }

  // Makes sure that the direction (kRead or kWrite) will be reported when it becomes ready.
  Status await(Source& source, Interest direction);
  // Notes an event on its source; null when the event is stale.
  Source* note(const Event& event);
  // A receive said EAGAIN, or proved that nothing is left. Only events can set the flag again, so
  // an unregistered source keeps it.
  void mark_drained(Source& source);
  // A send said EAGAIN or was cut short.
  void mark_full(Source& source);
  // Leaves the poller. Always before the descriptor is closed or given away: while a duplicate of
  // it is open elsewhere, the kernel would keep reporting it here.
  void forget(Source& source);
  // Deregisters, and frees the slot; the descriptor is the caller's from now on.
  sys::UniqueFd release(Source& source);
  // Deregisters, closes and frees the slot.
  void close(Source& source);

 private:
  Interest wanted_interest(const Source& source, Interest direction) const;

  // First, since it begins at a cache line of its own.
  Counters counters_;
  std::unique_ptr<Poller> poller_;
  Slots slots_;
  Deadlines deadlines_;
};

}  // namespace sock::reactor
