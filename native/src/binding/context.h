// Everything that one copy of the JavaScript package has here: its reactor, the handles by which
// libuv drives it, and the memory it shares with JavaScript. One per call of create(), so that
// workers, and several copies of the package in one process, do not see each other.
//
// Theory of operation: one turn. Readiness of the reactor's poller (or a deadline, or an answer of
// the resolver) makes libuv call us. turn() notes some events on their sources, performs the
// receive of each waiting reader and the accepts of each waiting listener, and writes what happened
// as records of four integers. If there are any, JavaScript is called once with their number; it
// settles promises, whose continuations run when that call's callback scope closes, and which
// send, or wait again by setting a flag. Nothing else crosses. The next turn has the next events.
#pragma once

#include <napi.h>
#include <uv.h>

#include <array>
#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "binding/args.h"
#include "binding/judge.h"
#include "binding/notifiers.h"
#include "binding/poll_set.h"
#include "binding/reader_memories.h"
#include "binding/receive_memory.h"
#include "binding/rings.h"
#include "binding/waiter.h"
#include "dns/resolver.h"
#include "net/file_loader.h"
#include "net/file_sender.h"
#include "net/relay.h"
#include "reactor/reactor.h"
#include "sys/datagram_calls.h"
#include "sys/unix_path.h"
#include "tls/handshake_threads.h"

namespace sock::binding {

// Words of the control array, mirrored in lib/constants.ts.
enum Control : size_t {
  kInTurn,      // 1 while turn() runs, microtasks of its call included
  kHeld,        // written by JavaScript: how many pending operations keep the loop alive
  kLoopHeld,    // 1 while our handle keeps the loop alive
  kChunkIndex,  // where the last receive() put its bytes
  kChunkOffset,
  kSyscall,  // the call behind the last error
  kExtra,    // second and third results of a call
  kExtra2,
  kExtra3,
  kTurn,     // changes with every turn
  kReading,  // written by JavaScript: 1 while it reads records
  kControlSize = 16,
};

// Kinds of records, mirrored in lib/constants.ts.
enum class Record : int32_t {
  kChunk,      // slot, kChunk | buffer << 8, count or negative errno, offset
  kReadable,   // slot
  kWritable,   // slot
  kAccepted,   // slot of the listener, -, new slot or negative errno, its generation
  kDeadline,   // id of the deadline
  kLookedUp,   // id of the lookup, -, EAI_* or 0, errno; the addresses are in the list of answers
  kTask,       // id of a file that can go on, or of a relay: -, 0 or negative errno, its call
  kPollReady,  // id of the poll, to which one look will bring something
  kProgress,   // key of a request of a ring that goes on; else as kCompleted
  kCompleted,  // key, kCompleted | buffer << 8, result, offset; an accept: slot, generation
  kFilled,     // slot, -, count or negative errno; the bytes are in the memory that the slot has
};

// An Int32Array with memory of its own, zeroed. Null when there is none left.
napi_value make_words(napi_env env, size_t count, int32_t** data);

class Context {
 public:
  // Null when the environment has no memory or descriptors left; `error` says why.
  static Context* create(napi_env env, const std::string& backend, Error& error);

  napi_env env() const { return env_; }
  reactor::Reactor& reactor() { return *reactor_; }
  ReceiveMemory& memory() { return *memory_; }
  ReaderMemories& reader_memories() { return reader_memories_; }
  sys::DatagramCalls& datagrams() { return datagrams_; }
  int32_t& control(Control word) { return control_[word]; }
  // Makes the bytes that went over the source known to JavaScript, in `traffic`.
  void tell_traffic(const reactor::Source& source);
  // Whether close() counts what TCP has sent twice, which takes a system call.
  void count_retransmits(bool on) { counts_retransmits_ = on; }

  Judge& judge() { return judge_; }
  // Makes the words, records and lists known to JavaScript, and its functions to us.
  napi_value share(napi_value deliver, napi_value judge);
  // The source named by two arguments, or null when it is gone.
  reactor::Source* find(int32_t index, int32_t generation) {
    return reactor_->slots().find(
        reactor::Token{static_cast<uint32_t>(index), static_cast<uint32_t>(generation)});
  }
  // Makes sure that there is a free slot; false when no memory is left.
  bool reserve();
  // A slot for the descriptor. Null when no memory is left.
  reactor::Source* adopt(sys::UniqueFd fd, reactor::Kind kind);
  // What a call returns that made a socket: its index, with the generation in kExtra.
  napi_value name(const reactor::Source& source);
  // What a call returns that failed: the negative errno, with the system call in kSyscall.
  napi_value fail(const Error& error);
  // 0, or as fail().
  napi_value outcome(const Status& status);
  // True while records are written that JavaScript has not seen.
  bool chunks_pending() const { return record_count_ > 0; }
  void hold_loop(bool on);
  void update_timer();
  // A pool of threads that look names up; the default one is started by its first use. Null when
  // there is none of that number.
  dns::Resolver* resolver(uint32_t pool);
  uint32_t open_pool(const dns::Limits& limits);
  void close_pool(uint32_t pool) { resolvers_.erase(pool); }
  void cancel_lookup(uint32_t pool, uint32_t id);
  // What the event loop would be told of that pool, for somebody who does not wait for it.
  std::deque<dns::Answer> take_lookups(uint32_t pool);
  Notifiers& notifiers() { return notifiers_; }
  PollSets& polls() { return polls_; }
  Rings& rings() { return rings_; }
  // Of a record that was written, which JavaScript sees when the turn delivers it.
  void record(uint32_t subject, int32_t kind, int64_t value, uint32_t extra);
  size_t record_room() const { return kRecordsMax - record_count_; }
  // One turn for who cannot wait for the loop's, within another or not. Nothing while JavaScript
  // reads records, when no code of users runs.
  void turn_now();
  // Tells JavaScript, at once, that the poll has something.
  void report_poll(uint32_t id);
  // A handle of libuv whose owner refers to this object, which therefore outlives it.
  void handle_opened() { open_handles_++; }
  void handle_closed();
  // The socket file that this source's bind made; close() removes it.
  void remember_file(const reactor::Source& source, const sys::SockAddr& address,
                     const sys::FileId& file);
  void close(reactor::Source& source);
  // As close(), but the descriptor, and the socket file if there is one, are given away.
  sys::UniqueFd release(reactor::Source& source);

  // Names what goes on over several turns; never 0, and fits a small integer of JavaScript.
  uint32_t new_task() { return last_task_ = last_task_ % 0x3fffffff + 1; }
  // Whether the event loop has something to tell, to whomever.
  bool others_wait();
  // Started by its first use.
  net::FileLoader& loader();
  tls::HandshakeThreads& handshake_threads();
  std::unordered_map<uint32_t, std::unique_ptr<net::FileSender>>& files() { return files_; }
  // From now on a relay has the bytes of both; returns its id.
  uint32_t join(reactor::Source& first, reactor::Source& second);
  void open_flow(uint32_t id, size_t flow);
  net::Relay* find_relay(uint32_t id);
  void part(uint32_t id);

 private:
  static constexpr size_t kRecordsMax = 1024;
  static constexpr uint32_t kDefaultPool = 0;
  // Of one look at the poller, and of one turn unless it fills a slab.
  static constexpr size_t kEventsMax = 128;
  static constexpr size_t kTurnEvents = 32;
  // One event of a stream writes at most a chunk (or readable) and a writable record.
  static constexpr size_t kRecordsPerEvent = 2;
  // After this many looks at the rings in one turn the rest of the event loop gets its turn.
  static constexpr int kRingRoundsMax = 4;

  Context(napi_env env, std::unique_ptr<reactor::Poller> poller);
  ~Context();

  bool start();
  uv_handle_t* main_handle();
  // Turns until no event is left.
  void run_turns();
  void turn();
  void take_events();
  void handle(reactor::Source& source, size_t records_reserved);
  void receive_for(reactor::Source& source);
  void fill_for(reactor::Source& source);
  void accept_for(reactor::Source& source, size_t records_reserved);
  void take_deadlines();
  void take_answers();
  void take_loaded();
  void take_handshakes();
  void schedule_relay(uint32_t id);
  void run_relays();
  dns::Resolver* add_pool(uint32_t pool, const dns::Limits& limits);
  void deliver_all();
  void deliver();
  void on_ready();   // the poller's descriptor is readable
  void on_wakeup();  // a thread of ours has something

  static void on_cleanup(napi_async_cleanup_hook_handle hook, void* self);
  static void on_closed(uv_handle_t* handle);

  napi_env env_;
  std::unique_ptr<reactor::Reactor> reactor_;
  std::unique_ptr<ReceiveMemory> memory_;
  ReaderMemories reader_memories_{env_};
  sys::DatagramCalls datagrams_;
  int32_t* control_ = nullptr;
  int32_t* records_ = nullptr;
  double* traffic_ = nullptr;  // bytes received, bytes sent
  bool counts_retransmits_ = false;
  size_t record_count_ = 0;

  napi_ref shared_ = nullptr;   // the object with the arrays, which keeps their memory alive
  napi_ref deliver_ = nullptr;  // the function called once per turn
  napi_ref pages_ = nullptr;    // the list of pages of shared words
  napi_ref answer_list_ = nullptr;
  napi_async_context async_context_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_hook_ = nullptr;

  struct BoundFile {
    sys::SockAddr address;
    sys::FileId file;
  };
  std::unordered_map<uint32_t, BoundFile> bound_files_;  // by slot
  Judge judge_;
  PollSets polls_;
  Notifiers notifiers_;
  Rings rings_;
  std::deque<dns::Answer> answers_;  // taken from the resolver, not yet recorded

  struct Joined {
    net::Relay relay;
    bool is_due = false;
  };
  uint32_t last_task_ = 0;
  std::unordered_map<uint32_t, std::unique_ptr<net::FileSender>> files_;
  std::deque<net::Loaded> loaded_;      // taken from the loader, not yet recorded
  std::deque<reactor::Token> stepped_;  // taken from the threads, not yet recorded
  std::unordered_map<uint32_t, Joined> relays_;
  std::vector<uint32_t> due_relays_;  // to be looked at in this turn, or the next

  // Closed by on_cleanup(); this object is freed when the last of them is gone.
  uv_poll_t poll_{};
  uv_timer_t timer_{};
  uv_async_t wakeup_{};
  int open_handles_ = 0;
  // What the poller has told and no turn has had yet. Not a turn's own, since one may run within
  // another.
  std::array<reactor::Event, kEventsMax> events_;
  std::span<const reactor::Event> found_;
  size_t turn_filled_bytes_ = 0;  // received in this turn into memory of readers
  bool has_poll_ = false;
  double timer_at_ms_ = reactor::Deadlines::kNone;

  // Declared last: their threads use the poller and the wake-up handle, so they end first.
  std::unordered_map<uint32_t, std::unique_ptr<dns::Resolver>> resolvers_;
  uint32_t last_pool_ = kDefaultPool;
  std::unique_ptr<net::FileLoader> loader_;
  std::unique_ptr<tls::HandshakeThreads> handshake_threads_;
  std::unique_ptr<Waiter> waiter_;
};

// The source that the first two arguments of a call name, or null when it is gone.
template <size_t N>
reactor::Source* source_of(const Args<N>& args) {
  static_assert(N >= 2);
  return args.context().find(args.int32(0), args.int32(1));
}

}  // namespace sock::binding
