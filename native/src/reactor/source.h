// One descriptor in the reactor: who it is, what it waits for, and the flags that it shares with
// JavaScript.
#pragma once

#include <cstdint>
#include <memory>

#include "reactor/filter.h"
#include "reactor/poller.h"
#include "sys/sockaddr.h"
#include "sys/unique_fd.h"

namespace sock::reactor {

// Shared with JavaScript, which reads and writes them without a crossing. They are hints to the
// native side: a wrong one costs a needless system call, never safety. Mirrored in
// lib/constants.ts.
namespace flag {
inline constexpr uint32_t kReadable = 1;    // a receive (or accept) may have something
inline constexpr uint32_t kWritable = 2;    // a send may be taken
inline constexpr uint32_t kWantChunk = 4;   // a reader waits: receive for it, into our memory
inline constexpr uint32_t kWantRead = 8;    // a reader waits: only tell it
inline constexpr uint32_t kWantWrite = 16;  // a sender (or connect) waits: only tell it
inline constexpr uint32_t kRegistered = 32;
inline constexpr uint32_t kHeld = 64;       // a filter holds output that the kernel did not take
inline constexpr uint32_t kUnread = 128;    // a filter holds input that the kernel has no more
inline constexpr uint32_t kGuarded = 256;   // JavaScript is asked who may come in
inline constexpr uint32_t kWantFill = 512;  // a reader waits: receive for it, into its memory
}  // namespace flag

struct SharedWords {
  uint32_t flags;
  uint32_t receive_max;  // bytes that the reader behind kWantChunk or kWantFill asked for
};

enum class Kind : uint8_t {
  kTcp,       // a stream whose short reads prove it drained
  kStream,    // any other connected or connecting socket: read to EAGAIN
  kListener,  // readable means that connections wait
};

struct Source {
  sys::UniqueFd fd;
  Token token;
  Kind kind = Kind::kStream;
  Interest interest = 0;  // as registered with the poller
  // A hang-up or error was reported, or the poller would not see urgent data: short reads prove
  // nothing.
  bool broken_off = false;
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  std::unique_ptr<Filter> filter;  // TLS, or null
  SharedWords* words = nullptr;
  // As accept or connect saw it: the kernel forgets it when the peer resets.
  sys::InetName* peer = nullptr;
  uint32_t relay = 0;  // the relay that has its bytes, 0 when none has

  bool registered() const { return interest != 0; }
  bool has(uint32_t flags) const { return (words->flags & flags) != 0; }
  void set(uint32_t flags) { words->flags |= flags; }
  void clear(uint32_t flags) { words->flags &= ~flags; }
};

}  // namespace sock::reactor
