// The memory of readers that wait with the same one again and again, by slot: what comes for them
// is received into it within the turn, as it is into our own for those who brought none.
//
// JavaScript may detach it at any time, so its address is asked for at each receive.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sock::binding {

class ReaderMemories {
 public:
  explicit ReaderMemories(napi_env env) : env_(env) {}
  ~ReaderMemories();
  ReaderMemories(const ReaderMemories&) = delete;
  ReaderMemories& operator=(const ReaderMemories&) = delete;

  // From now on the slot's is all of the ArrayBuffer, which is kept alive. False: there is no
  // memory left for that, or it is no ArrayBuffer.
  bool set(uint32_t slot, napi_value array_buffer);
  // Good until JavaScript runs. Empty when there is none, or it was taken away.
  std::span<std::byte> find(uint32_t slot) const;
  void forget(uint32_t slot);

 private:
  napi_env env_;
  std::vector<napi_ref> by_slot_;
};

}  // namespace sock::binding
