// Two streams joined: what one receives the other sends, in both directions, until both have ended.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "reactor/reactor.h"
#include "sys/socket_calls.h"

namespace sock::net {

// Theory of operation. Bytes go from socket to pipe to socket by splice(2), so they never come
// here; where there is no pipe to be had, or the kernel refuses, through a block of memory instead,
// each direction for itself. Nothing new is taken in before everything that was has gone out, which
// is the backpressure. step() does what is possible and returns; it is to be called when either
// socket becomes readable or writable, and again at the next turn while it says kMore.
class Relay {
 public:
  enum class Progress : uint8_t {
    kWaiting,  // for the sockets
    kMore,     // this turn's share is used up
    kDone,     // both directions have ended
    kFailed,   // error() says why
  };
  // The most that each direction moves in one step.
  static constexpr size_t kShare = 512 * 1024;
  static constexpr size_t kPipeSize = 256 * 1024;
  static constexpr size_t kBlockSize = 64 * 1024;

  Relay(reactor::Token first, reactor::Token second);

  Progress step(reactor::Reactor& reactor);
  // Nothing moves in a direction before this: something may have to go out ahead of it.
  void open(size_t flow) { flows_[flow].is_open = true; }
  // Bytes that went out: 0 from the first to the second, 1 the other way.
  uint64_t moved(size_t flow) const { return flows_[flow].moved; }
  const Error& error() const { return error_; }
  reactor::Token first() const { return flows_[0].from; }
  reactor::Token second() const { return flows_[0].to; }

 private:
  struct Flow {
    reactor::Token from;
    reactor::Token to;
    uint64_t moved = 0;
    size_t held = 0;  // taken in and not out yet: in the pipe, or in the block from `start` on
    size_t start = 0;
    bool is_open = false;
    bool copies = false;
    bool ended = false;  // the sender has, and the receiver knows
    sys::FdPair pipe;
    std::vector<std::byte> block;
  };

  Progress run(reactor::Reactor& reactor, Flow& flow);
  sys::IoResult take_in(reactor::Reactor& reactor, reactor::Source& from, Flow& flow);
  sys::IoResult put_out(reactor::Reactor& reactor, reactor::Source& to, Flow& flow);
  static bool empty_pipe(Flow& flow);
  Progress finish(reactor::Source& to, Flow& flow);
  Progress fail(sys::IoResult result, Syscall call);

  std::array<Flow, 2> flows_;
  Error error_;
};

}  // namespace sock::net
