// The memory that chunks are received into when the reader brought none.
//
// Theory of operation. A receive goes into a slab, an ArrayBuffer of 256 KiB. Up to 4 KiB are then
// copied out into a small pool, so that a short chunk that is kept for long cannot hold a slab, and
// the slab's place, which nobody has seen, serves the next receive while it is still in the cache.
// More than 4 KiB stay where they are and the slab moves on. What was handed out is never written
// again: a slab or pool that is used up is left to the garbage collector.
//
// What was never received reads as zeros, though a slab comes as the allocator has it. Between the
// chunks they are written at once; for what lies behind the last it has time until publish(): by
// then a busy turn has filled most of its slabs with bytes of peers, and writing zeros over the
// whole of each first took an eighth of the time of an echo of 16 KiB.
//
// JavaScript sees these ArrayBuffers through the chunks and may detach them at any time, so their
// addresses are good only until JavaScript runs next: after refresh() they are fetched again.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>

namespace sock::binding {

class ReceiveMemory {
 public:
  struct Place {
    std::byte* data;
    size_t size;
  };
  // Where a kept chunk lies: the index of its ArrayBuffer in the list, and the offset in it.
  struct Chunk {
    uint32_t buffer;
    uint32_t offset;
  };

  // Found by measuring: 128 KiB costs one allocation more per 16 KiB message, 512 KiB falls out of
  // the cache.
  static constexpr size_t kSlabSize = 256 * 1024;

  // `list` is the JavaScript array through which the ArrayBuffers are shared with lib/.
  ReceiveMemory(napi_env env, napi_value list);
  ~ReceiveMemory();
  ReceiveMemory(const ReceiveMemory&) = delete;
  ReceiveMemory& operator=(const ReceiveMemory&) = delete;

  // Before anything else whenever JavaScript may have run. Also drops from the list what is no
  // longer current, unless chunks that JavaScript has not picked up yet may refer to it.
  void refresh(bool chunks_pending);
  // Room for a receive of up to max bytes; less than max may be offered. Null data: no memory.
  Place reserve(size_t max);
  // Keeps the first `count` bytes (at least one) of the place reserved last.
  Chunk keep(size_t count);
  // Before JavaScript is told of chunks.
  void publish();
  // Since refresh() the slab has been received into, and it has room for more, or has none.
  bool is_filling() const { return slab_.used > slab_.used_before && !is_used_up(); }
  bool is_filled() const { return slab_.used > slab_.used_before && is_used_up(); }

 private:
  struct Buffer {
    std::byte* data = nullptr;
    size_t size = 0;
    size_t used = 0;
    size_t used_before = 0;    // by the last refresh()
    size_t written = 0;        // from here on it is as the allocator had it
    uint32_t index = 0;        // in the list
    napi_ref array = nullptr;  // the ArrayBuffer
    bool is_fetched = false;   // its address is good
    size_t room() const { return size - used; }
  };

  bool is_used_up() const;
  bool replace(Buffer& buffer, size_t size);
  void drop(Buffer& buffer);
  void fetch(Buffer& buffer);
  void compact();
  Chunk take(Buffer& buffer, size_t count);
  static void zero_until(Buffer& buffer, size_t end);

  napi_env env_;
  napi_ref list_;
  uint32_t list_length_ = 0;
  Buffer pool_;
  Buffer slab_;
  bool in_slab_ = false;
};

}  // namespace sock::binding
