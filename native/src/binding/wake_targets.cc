#include "binding/wake_targets.h"

#include <functional>
#include <random>
#include <unordered_map>

namespace sock::binding {

struct WakeTarget::State {
  std::mutex mutex;
  reactor::Poller* poller = nullptr;
  uv_async_t* async = nullptr;
  std::atomic<bool> woken{false};

  // The flag comes first: whoever finds the poller woken finds the flag set.
  bool wake() {
    const std::lock_guard lock(mutex);
    if (poller == nullptr) return false;
    woken.store(true);
    poller->wake();
    if (async != nullptr) uv_async_send(async);
    return true;
  }
};

namespace {

class Registry {
 public:
  // Never destroyed: threads may wake polls while the process ends.
  static Registry& instance() {
    static auto* registry = new Registry;
    return *registry;
  }

  uint64_t add(std::function<bool()> wake) {
    const std::lock_guard lock(mutex_);
    uint64_t name = 0;
    do {
      name = (uint64_t{random_()} << 32 | random_()) & WakeTarget::kNameMax;
    } while (name == 0 || targets_.contains(name));
    targets_.emplace(name, std::move(wake));
    return name;
  }

  void remove(uint64_t name) {
    const std::lock_guard lock(mutex_);
    targets_.erase(name);
  }

  bool wake(uint64_t name) {
    std::function<bool()> target;
    {
      const std::lock_guard lock(mutex_);
      const auto found = targets_.find(name);
      if (found == targets_.end()) return false;
      target = found->second;
    }
    return target();
  }

 private:
  std::mutex mutex_;
  std::random_device random_;
  std::unordered_map<uint64_t, std::function<bool()>> targets_;
};

}  // namespace

WakeTarget::WakeTarget(reactor::Poller& poller) : state_(std::make_shared<State>()) {
  state_->poller = &poller;
  name_ = Registry::instance().add([state = state_] { return state->wake(); });
}

WakeTarget::~WakeTarget() {
  Registry::instance().remove(name_);
  const std::lock_guard lock(state_->mutex);
  state_->poller = nullptr;
  state_->async = nullptr;
}

void WakeTarget::set_async(uv_async_t* async) {
  const std::lock_guard lock(state_->mutex);
  state_->async = async;
}

bool WakeTarget::pending() const {
  return state_->woken.load();
}

bool WakeTarget::take() {
  return state_->woken.exchange(false);
}

void WakeTarget::wake() {
  state_->wake();
}

bool wake_target(uint64_t name) {
  return Registry::instance().wake(name);
}

}  // namespace sock::binding
