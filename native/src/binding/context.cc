#include "binding/context.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/clock.h"
#include "binding/args.h"
#include "net/listener.h"
#include "net/stream.h"
#include "sys/tcp_info.h"

namespace sock::binding {

using reactor::Kind;
using reactor::Source;
namespace flag = reactor::flag;

napi_value make_words(napi_env env, size_t count, int32_t** data) {
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  void* memory = nullptr;
  if (napi_create_arraybuffer(env, count * sizeof(int32_t), &memory, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_int32_array, count, buffer, 0, &array) != napi_ok) {
    return nullptr;
  }
  *data = static_cast<int32_t*>(memory);
  return array;
}

namespace {

// After this many looks at the poller the rest of the event loop gets its turn.
constexpr int kRoundsMax = 2;

napi_value make_doubles(napi_env env, size_t count, double** data) {
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  void* memory = nullptr;
  if (napi_create_arraybuffer(env, count * sizeof(double), &memory, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, count, buffer, 0, &array) != napi_ok) {
    return nullptr;
  }
  *data = static_cast<double*>(memory);
  return array;
}

void count_retransmits_of(reactor::Reactor& reactor, const Source& source) {
  if (source.kind != Kind::kTcp) return;
  Result<sys::TcpFigures> figures = sys::tcp_figures(source.fd.get());
  if (!figures.ok()) return;
  const double total = figures.value()[static_cast<size_t>(sys::TcpFigure::kTotalRetransmits)];
  if (total > 0) reactor.counters().add(Counter::kTcpRetransmits, static_cast<uint64_t>(total));
}

}  // namespace

Context::Context(napi_env env, std::unique_ptr<reactor::Poller> poller)
    : env_(env), reactor_(std::make_unique<reactor::Reactor>(std::move(poller))) {}

Context::~Context() {
  for (const napi_ref reference : {shared_, deliver_, pages_, answer_list_}) {
    if (reference != nullptr) napi_delete_reference(env_, reference);
  }
  judge_.release();
  if (async_context_ != nullptr) napi_async_destroy(env_, async_context_);
}

Context* Context::create(napi_env env, const std::string& backend, Error& error) {
  Result<std::unique_ptr<reactor::Poller>> poller = reactor::make_poller(backend);
  if (!poller.ok()) {
    error = poller.error();
    return nullptr;
  }
  auto* context = new Context(env, poller.take());
  if (!context->start()) {
    error = Error{ENOMEM, Syscall::kNone};
    // Handles that libuv knows are closed, and the object freed, by the cleanup hook.
    if (context->open_handles_ == 0) delete context;
    return nullptr;
  }
  return context;
}

bool Context::start() {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return false;
  uv_timer_init(loop, &timer_);
  timer_.data = this;
  open_handles_ = 1;
  if (uv_async_init(loop, &wakeup_, [](uv_async_t* handle) {
        static_cast<Context*>(handle->data)->on_wakeup();
      }) == 0) {
    wakeup_.data = this;
    open_handles_++;
  }
  // From here on the hook cleans up: an open handle at the end of a worker would abort the process.
  napi_add_async_cleanup_hook(env_, on_cleanup, this, &cleanup_hook_);
  if (open_handles_ < 2) return false;
  const int fd = reactor_->poller().fd();
  if (fd >= 0) {
    if (uv_poll_init(loop, &poll_, fd) != 0) return false;
    poll_.data = this;
    open_handles_++;
    has_poll_ = true;
    uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* handle, int, int) {
      static_cast<Context*>(handle->data)->on_ready();
    });
    uv_unref(reinterpret_cast<uv_handle_t*>(&poll_));
  } else {
    waiter_ = std::make_unique<Waiter>(reactor_->poller(), wakeup_);
  }
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&wakeup_));
  return true;
}

uv_handle_t* Context::main_handle() {
  return has_poll_ ? reinterpret_cast<uv_handle_t*>(&poll_)
                   : reinterpret_cast<uv_handle_t*>(&wakeup_);
}

void Context::on_cleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* self = static_cast<Context*>(data);
  self->waiter_.reset();
  self->resolvers_.clear();
  self->loader_.reset();
  self->handshake_threads_.reset();
  self->polls_.close_all();
  self->notifiers_.close_all();
  self->rings_.abandon_all();
  self->reactor_.reset();
  self->memory_.reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&self->timer_), on_closed);
  if (self->wakeup_.data != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(&self->wakeup_), on_closed);
  }
  if (self->has_poll_) uv_close(reinterpret_cast<uv_handle_t*>(&self->poll_), on_closed);
}

void Context::on_closed(uv_handle_t* handle) {
  static_cast<Context*>(handle->data)->handle_closed();
}

void Context::handle_closed() {
  if (--open_handles_ > 0) return;
  const napi_async_cleanup_hook_handle hook = cleanup_hook_;
  delete this;
  napi_remove_async_cleanup_hook(hook);
}

napi_value Context::share(napi_value deliver, napi_value judge) {
  napi_value shared = nullptr;
  napi_value pages = nullptr;
  napi_value chunks = nullptr;
  napi_value answers = nullptr;
  napi_value name = nullptr;
  napi_create_object(env_, &shared);
  napi_value control = make_words(env_, kControlSize, &control_);
  napi_value records = make_words(env_, kRecordsMax * 4, &records_);
  napi_value traffic = make_doubles(env_, 2, &traffic_);
  if (control == nullptr || records == nullptr || traffic == nullptr) return nullptr;
  if (!judge_.share(env_, shared, judge)) return nullptr;
  napi_create_array(env_, &pages);
  napi_create_array(env_, &chunks);
  napi_create_array(env_, &answers);
  napi_set_named_property(env_, shared, "control", control);
  napi_set_named_property(env_, shared, "records", records);
  napi_set_named_property(env_, shared, "traffic", traffic);
  napi_set_named_property(env_, shared, "pages", pages);
  napi_set_named_property(env_, shared, "chunks", chunks);
  napi_set_named_property(env_, shared, "answers", answers);
  napi_create_reference(env_, shared, 1, &shared_);
  napi_create_reference(env_, pages, 1, &pages_);
  napi_create_reference(env_, answers, 1, &answer_list_);
  napi_create_reference(env_, deliver, 1, &deliver_);
  napi_create_string_utf8(env_, "sock", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env_, shared, name, &async_context_);
  memory_ = std::make_unique<ReceiveMemory>(env_, chunks);
  return shared;
}

bool Context::reserve() {
  reactor::Slots& slots = reactor_->slots();
  if (!slots.full()) return true;
  constexpr size_t kWords = sizeof(reactor::SharedWords) / sizeof(int32_t);
  int32_t* words = nullptr;
  napi_value array = make_words(env_, reactor::Slots::kPageSize * kWords, &words);
  napi_value pages = nullptr;
  if (array == nullptr || napi_get_reference_value(env_, pages_, &pages) != napi_ok) return false;
  napi_set_element(env_, pages, static_cast<uint32_t>(slots.page_count()), array);
  slots.add_page(reinterpret_cast<reactor::SharedWords*>(words));
  return true;
}

Source* Context::adopt(sys::UniqueFd fd, Kind kind) {
  return reserve() ? &reactor_->slots().take(std::move(fd), kind) : nullptr;
}

void Context::remember_file(const Source& source, const sys::SockAddr& address,
                            const sys::FileId& file) {
  if (file.exists()) bound_files_[source.token.index] = BoundFile{address, file};
}

void Context::tell_traffic(const Source& source) {
  traffic_[0] = static_cast<double>(source.bytes_received);
  traffic_[1] = static_cast<double>(source.bytes_sent);
}

void Context::close(Source& source) {
  tell_traffic(source);
  if (counts_retransmits_) count_retransmits_of(*reactor_, source);
  const auto bound = bound_files_.find(source.token.index);
  if (bound != bound_files_.end()) {
    // A file that cannot be removed is left: the next bind to its path will find it stale.
    (void)sys::unlink_if_ours(bound->second.address, bound->second.file).ok();
    bound_files_.erase(bound);
  }
  if (source.relay != 0) {
    schedule_relay(source.relay);
    uv_async_send(&wakeup_);
  }
  reader_memories_.forget(source.token.index);
  reactor_->close(source);
}

sys::UniqueFd Context::release(Source& source) {
  tell_traffic(source);
  bound_files_.erase(source.token.index);
  reader_memories_.forget(source.token.index);
  return reactor_->release(source);
}

napi_value Context::name(const Source& source) {
  control_[kExtra] = static_cast<int32_t>(source.token.generation);
  return to_js(env_, source.token.index);
}

napi_value Context::fail(const Error& error) {
  control_[kSyscall] = static_cast<int32_t>(error.call);
  return to_js(env_, -error.code);
}

napi_value Context::outcome(const Status& status) {
  return status.ok() ? to_js(env_, 0) : fail(status.error());
}

void Context::hold_loop(bool on) {
  control_[kLoopHeld] = on ? 1 : 0;
  if (on) {
    uv_ref(main_handle());
  } else {
    uv_unref(main_handle());
  }
}

void Context::update_timer() {
  const double earliest_ms = reactor_->deadlines().earliest_ms();
  if (earliest_ms == timer_at_ms_) return;
  timer_at_ms_ = earliest_ms;
  if (earliest_ms == reactor::Deadlines::kNone) {
    uv_timer_stop(&timer_);
    return;
  }
  // libuv counts from its cached time, which lies behind: the timer may come early, finds nothing
  // due then, and is set again. It is never relied on to be late enough.
  const double left_ms = std::max(0.0, std::ceil(earliest_ms - now_ms()));
  const auto on_timer = [](uv_timer_t* handle) {
    auto* self = static_cast<Context*>(handle->data);
    self->timer_at_ms_ = reactor::Deadlines::kNone;
    self->turn();
  };
  uv_timer_start(&timer_, on_timer, static_cast<uint64_t>(left_ms), 0);
}

void Context::on_wakeup() {
  found_ = std::span(events_).first(waiter_ == nullptr ? 0 : waiter_->take(events_));
  run_turns();
}

void Context::on_ready() {
  // A full batch means that there is more: look again before the others, but not without end.
  for (int round = 0; round < kRoundsMax; round++) {
    Result<size_t> count = reactor_->poller().wait(events_, 0);
    if (!count.ok() || count.value() == 0) return;
    found_ = std::span(events_).first(count.value());
    run_turns();
    if (count.value() < kEventsMax) return;
  }
}

void Context::run_turns() {
  do {
    turn();
  } while (!found_.empty());
}

void Context::report_poll(uint32_t id) {
  record(id, static_cast<int32_t>(Record::kPollReady), 0, 0);
  turn();
}

void Context::turn() {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) {
    found_ = {};
    return;
  }
  control_[kInTurn] = 1;
  // Wraps around, which a signed integer must not do by itself.
  control_[kTurn] = static_cast<int32_t>(static_cast<uint32_t>(control_[kTurn]) + 1);
  memory_->refresh(false);
  take_events();
  take_deadlines();
  take_answers();
  take_loaded();
  take_handshakes();
  run_relays();
  deliver_all();
  control_[kInTurn] = 0;
  if (control_[kHeld] == 0 && control_[kLoopHeld] == 1) hold_loop(false);
  update_timer();
  napi_close_handle_scope(env_, scope);
}

// Few at a time: what was received is to be in the cache still when JavaScript sends it. And a slab
// to its end, since what is left of it would have to be written with zeros.
void Context::take_events() {
  turn_filled_bytes_ = 0;
  const auto soon = found_.first(std::min(found_.size(), kTurnEvents));
  for (const reactor::Event& event : soon) reactor_->slots().prefetch(event.token);
  for (size_t taken = 1; !found_.empty(); taken++) {
    const reactor::Event event = found_.front();
    found_ = found_.subspan(1);
    if (rings_.note(*this, event.token)) continue;
    Source* source = reactor_->note(event);
    if (source != nullptr) handle(*source, found_.size() * kRecordsPerEvent);
    if (memory_->is_filled() || turn_filled_bytes_ >= ReceiveMemory::kSlabSize) return;
    if (taken >= kTurnEvents && !memory_->is_filling()) return;
  }
}

// What JavaScript submits to a ring while it is told of completions goes to the kernel at once, and
// some of it has come to its end when that returns.
void Context::deliver_all() {
  for (int round = 0; round < kRingRoundsMax; round++) {
    rings_.collect(*this);
    // Without records, too, who judged may have left something for after the turn.
    const bool asked = judge_.take_asked();
    if (record_count_ == 0 && !asked) break;
    deliver();
    memory_->refresh(false);
  }
  if (rings_.is_due()) uv_async_send(&wakeup_);
}

void Context::turn_now() {
  if (control_[kReading] == 1) return;
  const int32_t is_within = control_[kInTurn];
  // Those of the turn around this one have been read.
  record_count_ = 0;
  // What that turn has left, no poller tells again.
  if (!found_.empty()) run_turns();
  if (has_poll_) on_ready();
  // Also what needs no event of the poller.
  on_wakeup();
  control_[kInTurn] = is_within;
}

void Context::handle(Source& source, size_t records_reserved) {
  if (source.kind == Kind::kListener) {
    accept_for(source, records_reserved);
    return;
  }
  if (source.relay != 0) schedule_relay(source.relay);
  // An error is told by the next operation.
  if (source.has(flag::kHeld) && source.has(flag::kWritable)) net::flush(*reactor_, source);
  const auto index = source.token.index;
  if (source.has(flag::kReadable)) {
    if (source.has(flag::kWantChunk)) {
      receive_for(source);
    } else if (source.has(flag::kWantFill)) {
      fill_for(source);
    } else if (source.has(flag::kWantRead)) {
      source.clear(flag::kWantRead);
      record(index, static_cast<int32_t>(Record::kReadable), 0, 0);
    }
  }
  if (source.has(flag::kWritable) && source.has(flag::kWantWrite)) {
    source.clear(flag::kWantWrite);
    record(index, static_cast<int32_t>(Record::kWritable), 0, 0);
  }
}

void Context::receive_for(Source& source) {
  const ReceiveMemory::Place place = memory_->reserve(source.words->receive_max);
  if (place.data == nullptr) {
    source.clear(flag::kWantChunk);
    record(source.token.index, static_cast<int32_t>(Record::kChunk), -ENOMEM, 0);
    return;
  }
  const sys::IoResult count = net::receive(*reactor_, source, place.data, place.size, true);
  if (count == -EAGAIN) return;  // a hint that was wrong; the reader goes on waiting
  source.clear(flag::kWantChunk);
  int32_t kind = static_cast<int32_t>(Record::kChunk);
  uint32_t offset = 0;
  if (count > 0) {
    const ReceiveMemory::Chunk chunk = memory_->keep(static_cast<size_t>(count));
    kind |= static_cast<int32_t>(chunk.buffer << 8);
    offset = chunk.offset;
  }
  record(source.token.index, kind, count, offset);
}

void Context::fill_for(Source& source) {
  const uint32_t index = source.token.index;
  const std::span<std::byte> memory = reader_memories_.find(index);
  if (memory.empty()) {
    // The attempt that this leads to has the words for it.
    source.clear(flag::kWantFill);
    record(index, static_cast<int32_t>(Record::kReadable), 0, 0);
    return;
  }
  const size_t size = std::min<size_t>(memory.size(), source.words->receive_max);
  const sys::IoResult count = net::receive(*reactor_, source, memory.data(), size, true);
  if (count == -EAGAIN) return;  // as above
  source.clear(flag::kWantFill);
  if (count > 0) turn_filled_bytes_ += static_cast<size_t>(count);
  record(index, static_cast<int32_t>(Record::kFilled), count, 0);
}

void Context::accept_for(Source& source, size_t records_reserved) {
  if (!source.has(flag::kWantRead)) {
    // Nobody waits, and a level-triggered source would be reported without end.
    reactor_->forget(source);
    return;
  }
  const size_t room = kRecordsMax - record_count_ - records_reserved;
  const size_t accepts_max = std::min<size_t>(source.words->receive_max, room);
  ListenerGuard guard(judge_, source);
  for (size_t i = 0; i < accepts_max; i++) {
    const auto report = i == 0 ? net::Report::kConnection : net::Report::kNone;
    Result<net::Accepted> accepted = net::accept(*reactor_, source, report, false, guard.get());
    const auto kind = static_cast<int32_t>(Record::kAccepted);
    if (!accepted.ok()) {
      if (accepted.error().code == EAGAIN) return;
      control_[kSyscall] = static_cast<int32_t>(accepted.error().call);
      record(source.token.index, kind, -accepted.error().code, 0);
      return;
    }
    const bool is_unix = accepted.value().peer.is_unix();
    Source* connection =
        adopt(std::move(accepted.value().fd), is_unix ? Kind::kStream : Kind::kTcp);
    if (connection == nullptr) {
      record(source.token.index, kind, -ENOMEM, 0);
      return;
    }
    *connection->peer = accepted.value().peer.inet_name();
    record(source.token.index, kind, connection->token.index, connection->token.generation);
  }
}

void Context::take_deadlines() {
  if (reactor_->deadlines().size() == 0) return;
  const double now = now_ms();
  uint32_t id = 0;
  while (record_count_ < kRecordsMax && reactor_->deadlines().take_due(now, id)) {
    record(id, static_cast<int32_t>(Record::kDeadline), 0, 0);
  }
}

void Context::record(uint32_t subject, int32_t kind, int64_t value, uint32_t extra) {
  SOCK_CHECK(record_count_ < kRecordsMax);
  int32_t* words = &records_[record_count_ * 4];
  words[0] = static_cast<int32_t>(subject);
  words[1] = kind;
  words[2] = static_cast<int32_t>(value);
  words[3] = static_cast<int32_t>(extra);
  record_count_++;
}

void Context::deliver() {
  memory_->publish();
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  napi_get_reference_value(env_, deliver_, &function);
  napi_get_global(env_, &receiver);
  napi_value count = to_js(env_, static_cast<int64_t>(record_count_));
  const napi_status status =
      napi_make_callback(env_, async_context_, receiver, function, 1, &count, nullptr);
  record_count_ = 0;
  if (status != napi_pending_exception) return;
  napi_value error = nullptr;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

}  // namespace sock::binding
