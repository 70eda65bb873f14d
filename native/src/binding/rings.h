// The completion rings of one context: each is woken through the reactor's poller, emptied once per
// turn, and what its requests have brought becomes records. A ring that is closed stays until the
// last of its requests is over.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "reactor/poller.h"
#include "reactor/ring.h"
#include "sys/mapping.h"

namespace sock::binding {

class Context;

// Whose request has a key: what was moved is counted for the socket, if it is still there.
struct RequestOwner {
  enum class Kind : uint8_t { kReceive, kSend, kAcceptInet, kAcceptUnix };
  reactor::Token token;
  Kind kind = Kind::kReceive;
};

struct RingEntry {
  std::unique_ptr<reactor::Ring> ring;
  std::vector<RequestOwner> owners;  // by key
  // What JavaScript was given of it keeps it, too.
  std::shared_ptr<sys::Mapping> memory;
  bool is_closing = false;

  void own(uint32_t key, RequestOwner owner) {
    if (owners.size() <= key) owners.resize(key + 1);
    owners[key] = owner;
  }
};

class Rings {
 public:
  Result<uint32_t> open(Context& context, const reactor::RingConfig& config);
  // Null when there is none, or it was closed.
  RingEntry* find(int32_t id);
  // Cancels what is pending; completions go on to be recorded.
  void close(Context& context, RingEntry& entry);
  // The environment ends: nobody hears of anything any more.
  void abandon_all();

  // Whether the token is that of a ring.
  bool note(Context& context, reactor::Token token);
  // Submits, and writes records for as many completions as there is room for.
  void collect(Context& context);
  bool is_due() const;

 private:
  // No socket has this index: slot tables stop far below it.
  static constexpr uint32_t kTokenIndex = UINT32_MAX - 1;

  void collect_from(Context& context, RingEntry& entry);
  void drop(Context& context, uint32_t id);

  std::unordered_map<uint32_t, RingEntry> entries_;
  uint32_t last_id_ = 0;
};

}  // namespace sock::binding
