#include "binding/poll_set.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/clock.h"
#include "binding/context.h"

namespace sock::binding {

namespace {

// What PollEvents of packages/poll/src/poll-events.ts calls it.
int32_t to_words(reactor::Readiness ready) {
  int32_t events = ready & (reactor::kReadable | reactor::kWritable);
  if ((ready & reactor::kError) != 0) events |= 4;
  if ((ready & reactor::kBroken) != 0) events |= 8;
  return events;
}

// Rounded up, for a wait must not end before its time; negative means no limit.
int to_poll_timeout(double left_ms) {
  if (left_ms == reactor::Deadlines::kNone) return -1;
  const double most = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp(std::ceil(left_ms), 0.0, most));
}

}  // namespace

PollSet::PollSet(Context& context, uint32_t id, std::unique_ptr<reactor::Poller> poller,
                 size_t events_max)
    : context_(context),
      id_(id),
      poller_(std::move(poller)),
      events_(events_max),
      target_(std::make_unique<WakeTarget>(*poller_)) {}

PollSet::~PollSet() {
  if (array_ != nullptr) napi_delete_reference(context_.env(), array_);
}

napi_value PollSet::share() {
  napi_value array = make_words(context_.env(), events_.size() * kWordsPerEvent, &words_);
  if (array == nullptr) return nullptr;
  napi_create_reference(context_.env(), array, 1, &array_);
  return array;
}

Result<PollSet::Found> PollSet::wait(double limit_ms) {
  const double until_ms = now_ms() + limit_ms;
  Found found;
  if (waiter_ != nullptr) {
    waiter_->pause();
    found.count = waiter_->take(events_);
  }
  found.woken = target_->take();
  while (found.count == 0) {
    const double end_ms = std::min(until_ms, deadlines_.earliest_ms());
    const int timeout_ms = found.woken ? 0 : to_poll_timeout(end_ms - now_ms());
    Result<size_t> count = poller_->wait(events_, timeout_ms);
    if (!count.ok()) return count.error();
    found.count = count.value();
    // After the look: what was drained from the poller there is taken here.
    found.woken = target_->take() || found.woken;
    if (found.woken || now_ms() >= end_ms) break;
  }
  for (size_t i = 0; i < found.count; i++) {
    int32_t* words = &words_[i * kWordsPerEvent];
    words[0] = static_cast<int32_t>(events_[i].token.index);
    words[1] = static_cast<int32_t>(events_[i].token.generation);
    words[2] = to_words(events_[i].ready);
  }
  return found;
}

uv_handle_t* PollSet::handle() {
  return poller_->fd() >= 0 ? reinterpret_cast<uv_handle_t*>(&poll_)
                            : reinterpret_cast<uv_handle_t*>(&async_);
}

Status PollSet::start() {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(context_.env(), &loop) != napi_ok) return Error{ENOMEM};
  const auto on_async = [](uv_async_t* async) { static_cast<PollSet*>(async->data)->on_ready(); };
  const int result = poller_->fd() >= 0 ? uv_poll_init(loop, &poll_, poller_->fd())
                                        : uv_async_init(loop, &async_, on_async);
  if (result != 0) return Error{-result};
  has_handle_ = true;
  context_.handle_opened();
  handle()->data = this;
  // What keeps the loop alive is the operation that waits, as everywhere.
  uv_unref(handle());
  if (poller_->fd() < 0) target_->set_async(&async_);
  return Nothing{};
}

Status PollSet::arm() {
  if (!has_handle_) {
    const Status starting = start();
    if (!starting.ok()) return starting;
  }
  armed_ = true;
  if (poller_->fd() < 0) {
    if (waiter_ == nullptr) {
      waiter_ = std::make_unique<Waiter>(*poller_, async_, events_.size());
    } else {
      waiter_->resume();
    }
    // The thread may have seen the wake-up already, in a wait that was given up.
    if (target_->pending()) uv_async_send(&async_);
    return Nothing{};
  }
  if (started_) return Nothing{};
  const auto on_poll = [](uv_poll_t* poll, int, int) {
    static_cast<PollSet*>(poll->data)->on_ready();
  };
  const int result = uv_poll_start(&poll_, UV_READABLE, on_poll);
  if (result != 0) return Error{-result};
  started_ = true;
  return Nothing{};
}

// Stopping and starting are system calls, so libuv goes on watching between two waits, and is
// stopped only when something is ready that nobody waits for.
void PollSet::on_ready() {
  if (armed_) {
    armed_ = false;
    context_.report_poll(id_);
  } else if (started_) {
    started_ = false;
    uv_poll_stop(&poll_);
  }
}

void PollSet::close() {
  waiter_.reset();
  target_.reset();
  if (!has_handle_) {
    delete this;
    return;
  }
  // libuv lets go of the descriptor before it is closed.
  uv_close(handle(), on_closed);
  poller_.reset();
}

void PollSet::on_closed(uv_handle_t* handle) {
  auto* self = static_cast<PollSet*>(handle->data);
  Context& context = self->context_;
  delete self;
  context.handle_closed();
}

PollSet* PollSets::create(Context& context, std::unique_ptr<reactor::Poller> poller,
                          size_t events_max) {
  const uint32_t id = ++last_id_;
  auto* set = new PollSet(context, id, std::move(poller), events_max);
  sets_.emplace(id, set);
  return set;
}

PollSet* PollSets::find(int32_t id) {
  const auto found = sets_.find(static_cast<uint32_t>(id));
  return found == sets_.end() ? nullptr : found->second;
}

void PollSets::close(PollSet& set) {
  sets_.erase(set.id());
  set.close();
}

void PollSets::close_all() {
  for (const auto& [id, set] : sets_) set->close();
  sets_.clear();
}

}  // namespace sock::binding
