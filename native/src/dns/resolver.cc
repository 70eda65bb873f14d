// Theory of operation. A lookup cannot be interrupted: getaddrinfo(3) returns when it returns,
// which with an unreachable name server takes half a minute. So a thread is never waited for. It is
// detached, and touches only the state below, which it holds by shared_ptr and which outlives the
// resolver for as long as a lookup is under way. The one thing of the owner's that a thread uses is
// `notify`; the mutex is held over that call, and the destructor clears it under the same mutex.
//
// A lookup that was cancelled leaves its thread "stuck" until it returns. Another thread takes its
// place, so that a few dead names cannot stop all others, but only up to a maximum: beyond that
// the questions wait, and end by their owner's deadlines.
#include "dns/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "sys/detached_thread.h"

namespace sock::dns {

namespace {

// glibc's resolver keeps answers of up to 64 KiB and its name service modules more of their own on
// the stack, and static thread-local storage is carved from the stack as well, so 128 KiB are
// near the edge. This is address space; only touched pages cost memory.
constexpr size_t kStackSize = 512 * 1024;

void set_port(sockaddr* address, uint16_t port) {
  if (address->sa_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  } else if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
  }
}

using Watchers = std::vector<std::shared_ptr<sys::Notifier>>;

// Many may wait for one answer by one notifier.
void add(Watchers& watchers, std::shared_ptr<sys::Notifier> watcher) {
  if (std::ranges::find(watchers, watcher) == watchers.end())
    watchers.push_back(std::move(watcher));
}

Answer look_up_name(const Question& question) {
  Answer answer;
  answer.id = question.id;
  Result<sys::SockAddr> address = sys::SockAddr::from_literal(question.host, 0);
  if (!address.ok()) {
    answer.gai_code = EAI_NONAME;
    return answer;
  }
  char name[NI_MAXHOST];
  answer.gai_code = ::getnameinfo(address.value().get(), address.value().size(), name, sizeof(name),
                                  nullptr, 0, NI_NAMEREQD);
  if (answer.gai_code == EAI_SYSTEM) answer.system_errno = errno;
  if (answer.gai_code == 0) answer.name = name;
  return answer;
}

Answer look_up_addresses(const Question& question) {
  addrinfo hints{};
  hints.ai_family = question.family;
  hints.ai_flags = question.flags;
  // Without it every address comes once for each type of socket.
  hints.ai_socktype = SOCK_STREAM;
  Answer answer;
  answer.id = question.id;
  // The part before a NUL must not pass for the whole name.
  if (question.host.find('\0') != std::string::npos) {
    answer.gai_code = EAI_NONAME;
    return answer;
  }
  addrinfo* list = nullptr;
  answer.gai_code = ::getaddrinfo(question.host.c_str(), nullptr, &hints, &list);
  if (answer.gai_code != 0) {
    if (answer.gai_code == EAI_SYSTEM) answer.system_errno = errno;
    return answer;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    // Written here rather than asked for as a service: "0" is refused by some systems.
    set_port(entry->ai_addr, question.port);
    const auto address = sys::SockAddr::from_raw(entry->ai_addr, entry->ai_addrlen);
    // glibc gives 127.0.0.1 twice for a name that the hosts file has with it and with ::1.
    const auto is_same = [&](const sys::SockAddr& other) { return other.host() == address.host(); };
    if (std::ranges::none_of(answer.addresses, is_same)) answer.addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return answer;
}

}  // namespace

Answer system_lookup(const Question& question) {
  return question.reverse ? look_up_name(question) : look_up_addresses(question);
}

struct Resolver::State : std::enable_shared_from_this<Resolver::State> {
  State(const Limits& limits_given, void (*notify_given)(void*), void* argument,
        Lookup lookup_given)
      : limits(limits_given),
        lookup(std::move(lookup_given)),
        notify(notify_given),
        notify_argument(argument) {}

  struct Waiting {
    Question question;
    Watchers watchers;
  };

  // What a worker is busy with. Lives on its stack; listed in `running` meanwhile.
  struct Job {
    uint32_t id;
    Watchers watchers;
    bool abandoned = false;
  };

  void work();

  // These expect the mutex to be held.
  void ensure_workers();
  int start_thread();
  void finish(Answer answer, const Watchers& watchers);
  bool wait_for_question(std::unique_lock<std::mutex>& lock);
  void answer_next(std::unique_lock<std::mutex>& lock);
  unsigned working_count() const { return thread_count - stuck_count; }

  Limits limits;
  const Lookup lookup;
  std::mutex mutex;
  std::condition_variable wake;
  void (*notify)(void*);
  void* notify_argument;
  bool closed = false;
  std::deque<Waiting> pending;
  std::vector<Job*> running;
  std::vector<Answer> finished;
  unsigned thread_count = 0;
  unsigned stuck_count = 0;  // busy with an abandoned job
  unsigned idle_count = 0;   // without a job, from the moment they are made
};

// Returns an errno.
int Resolver::State::start_thread() {
  const int error =
      sys::start_detached_thread(kStackSize, [state = shared_from_this()] { state->work(); });
  if (error != 0) return error;
  thread_count++;
  idle_count++;
  return 0;
}

// Starts as many threads as the questions call for and the limits allow.
void Resolver::State::ensure_workers() {
  size_t unattended = pending.size() - std::min<size_t>(pending.size(), idle_count);
  while (unattended > 0 && working_count() < limits.threads && thread_count < limits.threads_max) {
    const int error = start_thread();
    if (error != 0) {
      if (working_count() > 0) return;
      // Nobody is left who would ever answer these.
      while (!pending.empty()) {
        const Waiting unanswered = std::move(pending.front());
        pending.pop_front();
        finish(Answer{unanswered.question.id, EAI_SYSTEM, error, {}}, unanswered.watchers);
      }
      return;
    }
    unattended--;
  }
}

void Resolver::State::finish(Answer answer, const Watchers& watchers) {
  finished.push_back(std::move(answer));
  if (finished.size() == 1 && notify != nullptr) notify(notify_argument);
  for (const auto& watcher : watchers) watcher->notify();
}

// False when this thread should end instead: it has waited long enough, or it was stuck and comes
// back to find itself replaced.
bool Resolver::State::wait_for_question(std::unique_lock<std::mutex>& lock) {
  if (working_count() > limits.threads) return false;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(limits.idle_ms);
  wake.wait_until(lock, until, [this] { return closed || !pending.empty(); });
  return !closed && !pending.empty();
}

void Resolver::State::answer_next(std::unique_lock<std::mutex>& lock) {
  const Question question = std::move(pending.front().question);
  Job job{question.id, std::move(pending.front().watchers)};
  pending.pop_front();
  running.push_back(&job);
  idle_count--;
  lock.unlock();
  Answer answer = lookup(question);
  lock.lock();
  idle_count++;
  std::erase(running, &job);
  if (job.abandoned) {
    stuck_count--;
  } else {
    finish(std::move(answer), job.watchers);
  }
}

void Resolver::State::work() {
  std::unique_lock lock(mutex);
  while (wait_for_question(lock)) answer_next(lock);
  idle_count--;
  thread_count--;
}

Resolver::Resolver(const Limits& limits, void (*notify)(void*), void* notify_argument,
                   Lookup lookup)
    : state_(std::make_shared<State>(limits, notify, notify_argument, std::move(lookup))) {
  SOCK_CHECK(limits.threads > 0 && limits.threads <= limits.threads_max);
}

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
  state_->notify = nullptr;
  state_->wake.notify_all();
}

bool Resolver::submit(Question question) {
  const std::lock_guard lock(state_->mutex);
  if (state_->pending.size() >= state_->limits.pending_max) return false;
  state_->pending.push_back({std::move(question), {}});
  state_->ensure_workers();
  state_->wake.notify_one();
  return true;
}

void Resolver::set_pending_max(size_t pending_max) {
  const std::lock_guard lock(state_->mutex);
  state_->limits.pending_max = pending_max;
}

Load Resolver::load() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->thread_count, state_->stuck_count, state_->pending.size()};
}

void Resolver::cancel(uint32_t id) {
  const std::lock_guard lock(state_->mutex);
  const auto waits = [id](const State::Waiting& waiting) { return waiting.question.id == id; };
  const auto is_it = [id](const Answer& answer) { return answer.id == id; };
  if (std::erase_if(state_->pending, waits) > 0) return;
  if (std::erase_if(state_->finished, is_it) > 0) return;
  for (State::Job* job : state_->running) {
    if (job->id != id || job->abandoned) continue;
    job->abandoned = true;
    state_->stuck_count++;
    state_->ensure_workers();
    return;
  }
}

void Resolver::watch(uint32_t id, std::shared_ptr<sys::Notifier> watcher) {
  const std::lock_guard lock(state_->mutex);
  // From the back: as a rule it was submitted just now.
  const auto is_it = [id](const State::Waiting& waiting) { return waiting.question.id == id; };
  const auto end = state_->pending.rend();
  const auto waiting = std::find_if(state_->pending.rbegin(), end, is_it);
  if (waiting != end) return add(waiting->watchers, std::move(watcher));
  for (State::Job* job : state_->running) {
    if (job->id == id && !job->abandoned) return add(job->watchers, std::move(watcher));
  }
  watcher->notify();
}

std::vector<Answer> Resolver::take() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->finished, {});
}

}  // namespace sock::dns
