// Theory of operation. As in net/file_loader.cc threads are detached and hold what they touch; but
// here they are shared by all event loops of the process, since what they need is processors. At
// exit OpenSSL cleans up behind its users, so the end of the steps under way is waited for before
// that. Threads at rest are left there then: their own end would clean up, too, at the same time.
#include "tls/handshake_threads.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "sys/detached_thread.h"
#include "sys/thread_priority.h"

namespace sock::tls {

struct HandshakeThreads::Inbox {
  void put(reactor::Token owner) {
    const std::lock_guard lock(mutex);
    finished.push_back(owner);
    if (finished.size() == 1 && notify != nullptr) notify(notify_argument);
  }

  std::mutex mutex;
  void (*notify)(void*) = nullptr;
  void* notify_argument = nullptr;
  std::vector<reactor::Token> finished;
};

namespace {

constexpr size_t kStackSize = 512 * 1024;

struct Step {
  reactor::Token owner;
  std::shared_ptr<Wire> wire;
  std::function<void(reactor::Token)> tell;
};

void perform(Step step) {
  if (step.wire.use_count() > 1) step.wire->handshake();
  step.wire.reset();
  step.tell(step.owner);
}

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  // False when there is no thread, and none can be made.
  bool submit(Step& step) {
    const std::lock_guard lock(mutex_);
    ensure_thread();
    if (thread_count_ == 0) return false;
    pending_.push_back(std::move(step));
    wake_.notify_one();
    return true;
  }

  void await_end() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    pending_.clear();
    rest_.wait(lock, [this] { return idle_count_ == thread_count_; });
  }

 private:
  void ensure_thread() {
    if (pending_.size() < idle_count_ || thread_count_ >= threads_max_) return;
    const auto work = [pool = shared_from_this()] { pool->work(); };
    if (sys::start_detached_thread(kStackSize, work) != 0) return;
    thread_count_++;
    idle_count_++;
  }

  void work() {
    // An event loop that shares its processor with this would wait out each signature otherwise.
    sys::lower_thread_priority();
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto idle = std::chrono::milliseconds(HandshakeThreads::kIdleMs);
      const bool is_due = wake_.wait_for(lock, idle, [this] { return !pending_.empty(); });
      while (closed_) wake_.wait(lock);
      if (!is_due) break;
      Step step = std::move(pending_.front());
      pending_.pop_front();
      idle_count_--;
      lock.unlock();
      perform(std::move(step));
      lock.lock();
      idle_count_++;
      rest_.notify_all();
    }
    idle_count_--;
    thread_count_--;
  }

  const unsigned threads_max_ =
      std::clamp(std::thread::hardware_concurrency(), 1U, HandshakeThreads::kThreadsMax);
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable rest_;
  bool closed_ = false;
  std::deque<Step> pending_;
  unsigned thread_count_ = 0;
  unsigned idle_count_ = 0;
};

Pool& the_pool() {
  struct Holder {
    ~Holder() { pool->await_end(); }
    std::shared_ptr<Pool> pool = std::make_shared<Pool>();
  };
  static const Holder holder;
  return *holder.pool;
}

}  // namespace

HandshakeThreads::HandshakeThreads(void (*notify)(void*), void* notify_argument)
    : inbox_(std::make_shared<Inbox>()) {
  inbox_->notify = notify;
  inbox_->notify_argument = notify_argument;
}

HandshakeThreads::~HandshakeThreads() {
  const std::lock_guard lock(inbox_->mutex);
  inbox_->notify = nullptr;
}

void HandshakeThreads::submit(reactor::Token owner, std::shared_ptr<Wire> wire) {
  Step step{owner, std::move(wire), [inbox = inbox_](reactor::Token token) { inbox->put(token); }};
  if (!the_pool().submit(step)) perform(std::move(step));
}

std::vector<reactor::Token> HandshakeThreads::take() {
  const std::lock_guard lock(inbox_->mutex);
  return std::exchange(inbox_->finished, {});
}

}  // namespace sock::tls
