// Memory that the kernel picks from when something was received, so that a receive takes none while
// it waits. Few buffers go round at first, since what was used a moment ago is in the cache; every
// time they run out, twice as many do. Linux only.
#pragma once

#include <linux/io_uring.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "sys/mapping.h"
#include "sys/uring_calls.h"

namespace sock::reactor {

class ProvidedBuffers {
 public:
  static constexpr uint16_t kGroup = 0;
  // 1024 receives that complete together; a power of two, as the kernel wants it.
  static constexpr uint32_t kCountMax = 1024;
  static constexpr uint32_t kCountFirst = 64;

  static Result<ProvidedBuffers> create(int ring, uint32_t buffer_size) {
    Result<sys::Mapping> entries = sys::Mapping::anonymous(kCountMax * sizeof(io_uring_buf));
    if (!entries.ok()) return entries.error();
    Result<sys::Mapping> memory =
        sys::Mapping::anonymous(static_cast<size_t>(kCountMax) * buffer_size);
    if (!memory.ok()) return memory.error();
    ProvidedBuffers buffers;
    buffers.entries_ = entries.take();
    buffers.memory_ = memory.take();
    buffers.buffer_size_ = buffer_size;
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<uint64_t>(buffers.entries_.data());
    registration.ring_entries = kCountMax;
    registration.bgid = kGroup;
    const Status registered =
        sys::uring_register(ring, IORING_REGISTER_PBUF_RING, &registration, 1);
    if (!registered.ok()) return registered.error();
    buffers.grow();
    return buffers;
  }

  std::span<const std::byte> at(uint16_t id, size_t size) const {
    return {memory_.data() + static_cast<size_t>(id) * buffer_size_, size};
  }

  // Its bytes are no longer needed.
  void give_back(uint16_t id) {
    io_uring_buf& entry = entries_.at<io_uring_buf>(0)[tail_ & (kCountMax - 1)];
    entry.addr = reinterpret_cast<uint64_t>(at(id, 0).data());
    entry.len = buffer_size_;
    entry.bid = id;
    tail_++;
    // The tail lies where the first entry has a reserved field.
    std::atomic_ref<uint16_t>(entries_.at<io_uring_buf>(0)->resv)
        .store(tail_, std::memory_order_release);
  }

  // They had run out.
  void grow() {
    const uint32_t count = count_ == 0 ? kCountFirst : std::min(count_ * 2, kCountMax);
    while (count_ < count) give_back(static_cast<uint16_t>(count_++));
  }

  uint32_t count() const { return count_; }

 private:
  sys::Mapping entries_;
  sys::Mapping memory_;
  uint32_t buffer_size_ = 0;
  uint32_t count_ = 0;
  uint16_t tail_ = 0;
};

}  // namespace sock::reactor
