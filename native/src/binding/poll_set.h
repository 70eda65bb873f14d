// One SocketPoll: a poller of its own, apart from the reactor's, its timers, and the two ways to
// wait for it. wait() blocks this thread in the poller. arm() has libuv watch it, by its descriptor
// or through a thread that waits, and the next readiness becomes one record for JavaScript, which
// then looks with wait(0). Who is registered with which data is known to JavaScript alone; tokens
// are its numbers.
#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "binding/waiter.h"
#include "binding/wake_targets.h"
#include "reactor/deadlines.h"
#include "reactor/poller.h"

namespace sock::binding {

class Context;

class PollSet {
 public:
  static constexpr size_t kEventsMax = 10'000;
  // Words of an event: index and generation of its token, and what is ready.
  static constexpr size_t kWordsPerEvent = 3;

  PollSet(Context& context, uint32_t id, std::unique_ptr<reactor::Poller> poller,
          size_t events_max);

  // Makes the array that events are written to. Null when no memory is left.
  napi_value share();
  uint32_t id() const { return id_; }
  reactor::Poller& poller() { return *poller_; }
  reactor::Deadlines& deadlines() { return deadlines_; }
  WakeTarget& target() { return *target_; }

  struct Found {
    size_t count = 0;
    bool woken = false;
  };
  // Until there are events, somebody wakes it, the time is over, or a timer is due.
  Result<Found> wait(double limit_ms);
  // One record when there is something to wait() for.
  Status arm();
  void disarm() { armed_ = false; }
  // Frees it, at once or when libuv has let go of its handle.
  void close();

 private:
  ~PollSet();
  Status start();
  void on_ready();
  uv_handle_t* handle();
  static void on_closed(uv_handle_t* handle);

  Context& context_;
  const uint32_t id_;
  std::unique_ptr<reactor::Poller> poller_;
  reactor::Deadlines deadlines_;
  std::vector<reactor::Event> events_;
  int32_t* words_ = nullptr;
  napi_ref array_ = nullptr;  // keeps the words alive

  bool armed_ = false;
  bool started_ = false;  // libuv watches
  bool has_handle_ = false;
  uv_poll_t poll_{};    // of a poller that has a descriptor
  uv_async_t async_{};  // of one that needs a thread

  // Declared last: they use the poller and the handle, so they end first.
  std::unique_ptr<WakeTarget> target_;
  std::unique_ptr<Waiter> waiter_;
};

// Those of one context.
class PollSets {
 public:
  PollSet* create(Context& context, std::unique_ptr<reactor::Poller> poller, size_t events_max);
  PollSet* find(int32_t id);
  void close(PollSet& set);
  void close_all();

 private:
  std::unordered_map<uint32_t, PollSet*> sets_;
  uint32_t last_id_ = 0;
};

}  // namespace sock::binding
