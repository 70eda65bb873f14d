// Theory of operation. As in dns/resolver.cc: a read cannot be interrupted, so a thread is never
// waited for; it is detached, and touches only the state below, which it holds by shared_ptr. The
// mutex is held over `notify`, and the destructor clears it under the same mutex.
#include "net/file_loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "sys/detached_thread.h"
#include "sys/file_calls.h"

namespace sock::net {

namespace {

constexpr size_t kStackSize = 192 * 1024;

Loaded perform(const Load& load) {
  Loaded loaded{load.id, {}, load.file};
  if (loaded.file == nullptr) {
    Result<sys::UniqueFd> opened = sys::open_file(load.path);
    if (!opened.ok()) return Loaded{load.id, opened.error(), nullptr};
    loaded.file = std::make_shared<const sys::UniqueFd>(opened.take());
  }
  // Reading from a FIFO would take bytes from somebody else.
  Result<uint64_t> size = sys::file_size(loaded.file->get());
  if (!size.ok()) return Loaded{load.id, size.error(), nullptr};
  if (size.value() > load.offset) {
    const uint64_t there = size.value() - load.offset;
    sys::fetch(loaded.file->get(), load.offset, std::min<uint64_t>(load.size, there));
  }
  return loaded;
}

}  // namespace

struct FileLoader::State : std::enable_shared_from_this<FileLoader::State> {
  void work();
  // These expect the mutex to be held.
  void ensure_worker();
  void finish(Loaded loaded);

  std::mutex mutex;
  std::condition_variable wake;
  void (*notify)(void*) = nullptr;
  void* notify_argument = nullptr;
  bool closed = false;
  std::deque<Load> pending;
  std::vector<Loaded> finished;
  unsigned thread_count = 0;
  unsigned idle_count = 0;
};

void FileLoader::State::ensure_worker() {
  if (pending.size() <= idle_count || thread_count >= kThreadsMax) return;
  const int error =
      sys::start_detached_thread(kStackSize, [state = shared_from_this()] { state->work(); });
  if (error == 0) {
    thread_count++;
    idle_count++;
  } else if (thread_count == 0) {
    // Nobody is left who would ever load these. What is open already is sent as it is.
    for (Load& load : std::exchange(pending, {})) {
      const Error unopened{error, Syscall::kOpen};
      finish(Loaded{load.id, load.file == nullptr ? unopened : Error{}, std::move(load.file)});
    }
  }
}

void FileLoader::State::finish(Loaded loaded) {
  finished.push_back(std::move(loaded));
  if (finished.size() == 1 && notify != nullptr) notify(notify_argument);
}

void FileLoader::State::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kIdleMs);
    wake.wait_until(lock, until, [this] { return closed || !pending.empty(); });
    if (closed || pending.empty()) break;
    const Load load = std::move(pending.front());
    pending.pop_front();
    idle_count--;
    lock.unlock();
    Loaded loaded = perform(load);
    lock.lock();
    idle_count++;
    finish(std::move(loaded));
  }
  idle_count--;
  thread_count--;
}

FileLoader::FileLoader(void (*notify)(void*), void* notify_argument)
    : state_(std::make_shared<State>()) {
  state_->notify = notify;
  state_->notify_argument = notify_argument;
}

FileLoader::~FileLoader() {
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
  state_->notify = nullptr;
  state_->pending.clear();
  state_->wake.notify_all();
}

void FileLoader::submit(Load load) {
  const std::lock_guard lock(state_->mutex);
  state_->pending.push_back(std::move(load));
  state_->ensure_worker();
  state_->wake.notify_one();
}

std::vector<Loaded> FileLoader::take() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->finished, {});
}

}  // namespace sock::net
