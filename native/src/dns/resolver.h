// getaddrinfo(3) and getnameinfo(3) on threads of our own, so that a slow name server never holds
// up the file system and crypto work that waits for libuv's few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sys/notifier.h"
#include "sys/sockaddr.h"

namespace sock::dns {

struct Question {
  uint32_t id = 0;
  // A name whose addresses are wanted; or with `reverse` a literal address whose name is.
  std::string host;
  int family = 0;  // AF_UNSPEC, AF_INET or AF_INET6
  int flags = 0;   // AI_*
  uint16_t port = 0;
  bool reverse = false;
};

struct Answer {
  uint32_t id = 0;
  int gai_code = 0;      // 0 or one of EAI_*
  int system_errno = 0;  // with EAI_SYSTEM
  std::vector<sys::SockAddr> addresses;
  std::string name{};  // to a reverse question
};

// Looks a name up, for as long as it takes, on one of the resolver's threads.
using Lookup = std::function<Answer(const Question&)>;

// What the system's resolver says. Addresses are in its order, each once and with the port asked
// for; an address without a name is EAI_NONAME.
Answer system_lookup(const Question& question);

struct Limits {
  // Threads that work. One whose lookup was given up counts no more and is replaced...
  unsigned threads = 4;
  // ...until there are this many, the stuck ones included.
  unsigned threads_max = 16;
  size_t pending_max = 1000;  // questions that no thread has taken yet
  unsigned idle_ms = 5000;    // a thread with nothing to do for so long ends
};

// Threads there are, those of them whose lookup was given up, and questions nobody has taken yet.
struct Load {
  unsigned threads = 0;
  unsigned stuck = 0;
  size_t pending = 0;
};

// All methods are for one thread, the owner's. Deadlines are the owner's business too: it cancels
// what is over. The answers of what it cancelled never come.
class Resolver {
 public:
  // `notify` is called on any thread when take() has something new, once until the next take(). It
  // must not call back into the resolver, and is never called once the destructor has returned.
  Resolver(const Limits& limits, void (*notify)(void*), void* notify_argument,
           Lookup lookup = system_lookup);
  // Does not wait: lookups under way go on, and their answers are dropped.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // False when the queue is full. An id may be used again once it was answered or cancelled.
  bool submit(Question question);
  // For questions to come: what waits already goes on waiting.
  void set_pending_max(size_t pending_max);
  Load load() const;
  void cancel(uint32_t id);
  // The notifier, too, is told when that answer can be taken; at once when it can already.
  void watch(uint32_t id, std::shared_ptr<sys::Notifier> watcher);
  std::vector<Answer> take();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sock::dns
