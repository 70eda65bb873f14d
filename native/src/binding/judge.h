// Listeners that somebody guards: for each connection JavaScript is asked whether its peer may come
// in, by the bytes of the address alone. The asking costs a call, but makes no object, and of whom
// it turns away there never is one.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "net/listener.h"
#include "reactor/source.h"

namespace sock::binding {

class Judge {
 public:
  // Makes the bytes in which addresses are shown known to JavaScript, as `guest`; `function` is
  // judge(slot, size): boolean. False when there is no memory.
  bool share(napi_env env, napi_value target, napi_value function);
  void release();
  bool admits(uint32_t slot, const sys::SockAddr& peer);
  // Whether anybody was asked since this was: what JavaScript has put off then is due.
  bool take_asked() { return std::exchange(asked_, false); }

 private:
  static constexpr size_t kAddressMax = 16;

  napi_env env_ = nullptr;
  napi_ref function_ = nullptr;
  std::byte* guest_ = nullptr;
  bool asked_ = false;
};

// For one listener, as net::accept asks.
class ListenerGuard final : public net::Guard {
 public:
  ListenerGuard(Judge& judge, const reactor::Source& listener)
      : judge_(judge), slot_(listener.token.index), is_guarded_(is_guarded(listener)) {}

  // What to hand to net::accept: null where there is nobody to ask.
  net::Guard* get() { return is_guarded_ ? this : nullptr; }
  bool admits(const sys::SockAddr& peer) override { return judge_.admits(slot_, peer); }

 private:
  static bool is_guarded(const reactor::Source& listener) {
    return listener.has(reactor::flag::kGuarded);
  }

  Judge& judge_;
  uint32_t slot_;
  bool is_guarded_;
};

}  // namespace sock::binding
