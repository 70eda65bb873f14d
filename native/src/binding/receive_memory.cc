#include "binding/receive_memory.h"

#include <algorithm>
#include <cstring>

namespace sock::binding {

namespace {

// Twice Node's own Buffer.poolSize: half the allocations for chunks of a few hundred bytes.
constexpr size_t kPoolSize = 16 * 1024;
constexpr size_t kCopyMax = 4 * 1024;
// A slab with less room than this is not worth a receive that would be cut short.
constexpr size_t kRoomMin = 16 * 1024;

constexpr size_t align(size_t size) {
  return (size + 7) & ~size_t{7};
}

}  // namespace

ReceiveMemory::ReceiveMemory(napi_env env, napi_value list) : env_(env), list_(nullptr) {
  napi_create_reference(env, list, 1, &list_);
}

ReceiveMemory::~ReceiveMemory() {
  drop(pool_);
  drop(slab_);
  napi_delete_reference(env_, list_);
}

void ReceiveMemory::refresh(bool chunks_pending) {
  pool_.is_fetched = false;
  slab_.is_fetched = false;
  slab_.used_before = slab_.used;
  if (!chunks_pending && list_length_ > 2) compact();
}

void ReceiveMemory::compact() {
  napi_value list = nullptr;
  if (napi_get_reference_value(env_, list_, &list) != napi_ok) return;
  napi_value length = nullptr;
  napi_create_uint32(env_, 0, &length);
  napi_set_named_property(env_, list, "length", length);
  list_length_ = 0;
  for (Buffer* buffer : {&pool_, &slab_}) {
    napi_value array = nullptr;
    if (buffer->array == nullptr) continue;
    napi_get_reference_value(env_, buffer->array, &array);
    buffer->index = list_length_++;
    napi_set_element(env_, list, buffer->index, array);
  }
}

void ReceiveMemory::drop(Buffer& buffer) {
  if (buffer.array != nullptr) napi_delete_reference(env_, buffer.array);
  buffer = Buffer{};
}

void ReceiveMemory::fetch(Buffer& buffer) {
  if (buffer.is_fetched || buffer.array == nullptr) return;
  napi_value array = nullptr;
  void* data = nullptr;
  size_t size = 0;
  const bool there = napi_get_reference_value(env_, buffer.array, &array) == napi_ok &&
                     napi_get_arraybuffer_info(env_, array, &data, &size) == napi_ok;
  // A detached buffer has no bytes; forgetting it makes the next receive take a new one.
  if (!there || size != buffer.size) {
    drop(buffer);
    return;
  }
  buffer.data = static_cast<std::byte*>(data);
  buffer.is_fetched = true;
}

bool ReceiveMemory::is_used_up() const {
  return slab_.room() < kRoomMin;
}

bool ReceiveMemory::replace(Buffer& buffer, size_t size) {
  napi_value list = nullptr;
  napi_value view = nullptr;
  napi_value array = nullptr;
  void* data = nullptr;
  if (napi_get_reference_value(env_, list_, &list) != napi_ok) return false;
  // A Buffer, for the memory under an ArrayBuffer made here would be zeroed.
  if (napi_create_buffer(env_, size, &data, &view) != napi_ok) return false;
  if (napi_get_typedarray_info(env_, view, nullptr, nullptr, nullptr, &array, nullptr) != napi_ok) {
    return false;
  }
  if (napi_set_element(env_, list, list_length_, array) != napi_ok) return false;
  zero_until(buffer, buffer.size);
  drop(buffer);
  buffer.data = static_cast<std::byte*>(data);
  buffer.size = size;
  buffer.index = list_length_++;
  buffer.is_fetched = true;
  napi_create_reference(env_, array, 1, &buffer.array);
  return true;
}

ReceiveMemory::Place ReceiveMemory::reserve(size_t max) {
  in_slab_ = max > kCopyMax;
  Buffer& buffer = in_slab_ ? slab_ : pool_;
  const size_t size = in_slab_ ? kSlabSize : kPoolSize;
  fetch(buffer);
  const size_t needed = std::min(max, in_slab_ ? kRoomMin : kCopyMax);
  if (buffer.room() < needed && !replace(buffer, size)) return {nullptr, 0};
  return {buffer.data + buffer.used, std::min(max, buffer.room())};
}

ReceiveMemory::Chunk ReceiveMemory::keep(size_t count) {
  if (!in_slab_) return take(pool_, count);
  if (count > kCopyMax) return take(slab_, count);
  const std::byte* source = slab_.data + slab_.used;
  fetch(pool_);
  if (pool_.room() < count && !replace(pool_, kPoolSize)) return take(slab_, count);
  std::memcpy(pool_.data + pool_.used, source, count);
  return take(pool_, count);
}

ReceiveMemory::Chunk ReceiveMemory::take(Buffer& buffer, size_t count) {
  const Chunk chunk{buffer.index, static_cast<uint32_t>(buffer.used)};
  buffer.written = std::max(buffer.written, buffer.used + count);
  buffer.used = std::min(buffer.size, buffer.used + align(count));
  zero_until(buffer, buffer.used);
  return chunk;
}

void ReceiveMemory::publish() {
  for (Buffer* buffer : {&pool_, &slab_}) {
    // Of one that holds no chunk yet JavaScript does not hear.
    if (buffer->used > 0) zero_until(*buffer, buffer->size);
  }
}

void ReceiveMemory::zero_until(Buffer& buffer, size_t end) {
  if (end <= buffer.written) return;
  std::memset(buffer.data + buffer.written, 0, end - buffer.written);
  buffer.written = end;
}

}  // namespace sock::binding
