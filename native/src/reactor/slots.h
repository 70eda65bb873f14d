// The table of sources. A slot is named by index and generation; the generation changes when the
// slot is freed, so that a late event or a stale handle finds nothing. Pages never move, so that a
// Source& stays good while its slot is taken. The shared words of a page live in memory that the
// caller hands in (the binding takes it from an ArrayBuffer that JavaScript sees).
//
// With a thousand busy sockets each cache line of one is a line to wait for at each message: a slot
// is one, and what is looked at seldom lies behind all of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "reactor/source.h"

namespace sock::reactor {

class Slots {
 public:
  static constexpr uint32_t kPageSize = 1024;
  static constexpr uint32_t kGenerationMax = 0x7fffffff;  // fits a small integer of JavaScript

  bool full() const { return free_head_ == kNoSlot; }
  size_t page_count() const { return pages_.size(); }
  size_t used_count() const { return used_; }

  // `words` holds kPageSize entries, zeroed, and outlives the table.
  void add_page(SharedWords* words) {
    const auto base = static_cast<uint32_t>(pages_.size()) * kPageSize;
    pages_.push_back(std::make_unique<Page>());
    Page& page = *pages_.back();
    for (uint32_t i = kPageSize; i-- > 0;) {
      Slot& slot = page.slots[i];
      slot.token = Token{base + i, 1};
      slot.words = &words[i];
      slot.peer = &page.peers[i];
      slot.next_free = free_head_;
      free_head_ = base + i;
    }
  }

  Source& take(sys::UniqueFd fd, Kind kind) {
    SOCK_CHECK(!full());
    Slot& source = at(free_head_);
    free_head_ = source.next_free;
    source.next_free = kTaken;
    used_++;
    source.fd = std::move(fd);
    source.kind = kind;
    source.interest = 0;
    source.broken_off = false;
    source.bytes_received = 0;
    source.bytes_sent = 0;
    *source.peer = {};
    source.relay = 0;
    // Not registered, so nothing is known: the first operation finds out.
    *source.words = SharedWords{flag::kReadable | flag::kWritable, 0};
    return source;
  }

  void free(Source& source) {
    Slot& slot = at(source.token.index);
    SOCK_CHECK(slot.taken() && &slot == &source);
    used_--;
    source.filter.reset();
    source.words->flags = 0;
    source.token.generation =
        source.token.generation == kGenerationMax ? 1 : source.token.generation + 1;
    slot.next_free = free_head_;
    free_head_ = source.token.index;
  }

  // Null when the slot was freed since, or never existed.
  Source* find(Token token) {
    if (token.index >= pages_.size() * kPageSize) return nullptr;
    Slot& slot = at(token.index);
    if (!slot.taken() || slot.token.generation != token.generation) return nullptr;
    return &slot;
  }

  // It will be looked for in a moment.
  void prefetch(Token token) {
    if (token.index < pages_.size() * kPageSize) __builtin_prefetch(&at(token.index), 1);
  }

  template <class Visit>
  void for_each(Visit visit) {
    for (auto& page : pages_) {
      for (Slot& slot : page->slots) {
        if (slot.taken()) visit(slot);
      }
    }
  }

 private:
  static constexpr uint32_t kNoSlot = UINT32_MAX;
  static constexpr uint32_t kTaken = kNoSlot - 1;

  struct alignas(64) Slot : Source {
    uint32_t next_free = kNoSlot;  // the slot behind it in the list of free ones, or kTaken

    bool taken() const { return next_free == kTaken; }
  };
  static_assert(sizeof(Slot) == 64);

  struct Page {
    std::array<Slot, kPageSize> slots;
    std::array<sys::InetName, kPageSize> peers;
  };

  Slot& at(uint32_t index) { return pages_[index / kPageSize]->slots[index % kPageSize]; }

  std::vector<std::unique_ptr<Page>> pages_;
  uint32_t free_head_ = kNoSlot;
  size_t used_ = 0;
};

}  // namespace sock::reactor
