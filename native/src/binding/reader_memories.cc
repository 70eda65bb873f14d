#include "binding/reader_memories.h"

namespace sock::binding {

ReaderMemories::~ReaderMemories() {
  for (uint32_t slot = 0; slot < by_slot_.size(); slot++) forget(slot);
}

bool ReaderMemories::set(uint32_t slot, napi_value array_buffer) {
  forget(slot);
  bool is_array_buffer = false;
  napi_ref reference = nullptr;
  if (napi_is_arraybuffer(env_, array_buffer, &is_array_buffer) != napi_ok || !is_array_buffer ||
      napi_create_reference(env_, array_buffer, 1, &reference) != napi_ok) {
    return false;
  }
  if (by_slot_.size() <= slot) by_slot_.resize(slot + 1, nullptr);
  by_slot_[slot] = reference;
  return true;
}

std::span<std::byte> ReaderMemories::find(uint32_t slot) const {
  if (slot >= by_slot_.size() || by_slot_[slot] == nullptr) return {};
  napi_value array_buffer = nullptr;
  void* data = nullptr;
  size_t size = 0;
  if (napi_get_reference_value(env_, by_slot_[slot], &array_buffer) != napi_ok ||
      napi_get_arraybuffer_info(env_, array_buffer, &data, &size) != napi_ok) {
    return {};
  }
  return {static_cast<std::byte*>(data), size};
}

void ReaderMemories::forget(uint32_t slot) {
  if (slot >= by_slot_.size() || by_slot_[slot] == nullptr) return;
  napi_delete_reference(env_, by_slot_[slot]);
  by_slot_[slot] = nullptr;
}

}  // namespace sock::binding
