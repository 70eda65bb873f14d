// The notifiers of one context, by number.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "sys/notifier.h"

namespace sock::binding {

class Notifiers {
 public:
  uint32_t add(std::shared_ptr<sys::Notifier> notifier) {
    notifiers_.emplace(++last_id_, std::move(notifier));
    return last_id_;
  }

  // Null when it is closed.
  std::shared_ptr<sys::Notifier> find(int32_t id) const {
    const auto found = notifiers_.find(static_cast<uint32_t>(id));
    return found == notifiers_.end() ? nullptr : found->second;
  }

  // Whether it was open.
  bool close(int32_t id) {
    const auto notifier = find(id);
    if (notifier == nullptr) return false;
    notifier->close();
    notifiers_.erase(static_cast<uint32_t>(id));
    return true;
  }

  // Threads may know of them for longer.
  void close_all() {
    for (const auto& [id, notifier] : notifiers_) notifier->close();
    notifiers_.clear();
  }

 private:
  std::unordered_map<uint32_t, std::shared_ptr<sys::Notifier>> notifiers_;
  uint32_t last_id_ = 0;
};

}  // namespace sock::binding
