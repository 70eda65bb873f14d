#include "net/relay.h"

#include <cerrno>
#include <utility>

#include "net/stream.h"
#include "sys/kernel_copy.h"
#include "sys/pipe.h"

namespace sock::net {

using reactor::Reactor;
using reactor::Source;

namespace {

bool open_pipe_of(sys::FdPair& pipe, size_t size) {
  Result<sys::FdPair> opened = sys::open_pipe();
  if (!opened.ok()) return false;
  pipe = opened.take();
  sys::enlarge_pipe(pipe.first.get(), size);
  return true;
}

}  // namespace

Relay::Relay(reactor::Token first, reactor::Token second) {
  flows_[0].from = flows_[1].to = first;
  flows_[0].to = flows_[1].from = second;
}

Relay::Progress Relay::step(Reactor& reactor) {
  Progress both = Progress::kDone;
  for (Flow& flow : flows_) {
    if (flow.ended) continue;
    const Progress one = run(reactor, flow);
    if (one == Progress::kFailed) return one;
    if (one == Progress::kMore || both == Progress::kDone) both = one;
  }
  return both;
}

Relay::Progress Relay::run(Reactor& reactor, Flow& flow) {
  Source* from = reactor.slots().find(flow.from);
  Source* to = reactor.slots().find(flow.to);
  if (from == nullptr || to == nullptr) return fail(-EBADF, Syscall::kNone);
  if (!flow.is_open) return Progress::kWaiting;
  for (size_t done = 0; done < kShare;) {
    if (flow.held == 0) {
      if (!from->has(reactor::flag::kReadable)) return Progress::kWaiting;
      const sys::IoResult taken = take_in(reactor, *from, flow);
      if (taken == -EAGAIN) return Progress::kWaiting;
      if (taken < 0) return fail(taken, Syscall::kRecv);
      if (taken == 0) return finish(*to, flow);
    }
    if (!to->has(reactor::flag::kWritable)) return Progress::kWaiting;
    const sys::IoResult put = put_out(reactor, *to, flow);
    if (put == -EAGAIN) return Progress::kWaiting;
    if (put < 0) return fail(put, Syscall::kSend);
    done += static_cast<size_t>(put);
  }
  return Progress::kMore;
}

sys::IoResult Relay::take_in(Reactor& reactor, Source& from, Flow& flow) {
  if (!flow.copies && !flow.pipe.first) flow.copies = !open_pipe_of(flow.pipe, kPipeSize);
  sys::IoResult taken = -EINVAL;
  if (!flow.copies) {
    taken = sys::splice_in(from.fd.get(), flow.pipe.second.get(), kPipeSize);
    flow.copies = sys::is_refusal(taken);
  }
  if (flow.copies) {
    flow.pipe = {};
    flow.block.resize(kBlockSize);
    flow.start = 0;
    taken = sys::receive(from.fd.get(), flow.block.data(), flow.block.size());
  }
  if (taken > 0) flow.held = static_cast<size_t>(taken);
  // A splice can be cut short by the pipe, too.
  return note_received(reactor, from, taken, 1, true);
}

sys::IoResult Relay::put_out(Reactor& reactor, Source& to, Flow& flow) {
  const size_t asked = flow.held;
  sys::IoResult put = 0;
  if (!flow.copies) {
    put = sys::splice_out(flow.pipe.first.get(), to.fd.get(), asked);
    if (sys::is_refusal(put)) return empty_pipe(flow) ? put_out(reactor, to, flow) : put;
  } else {
    put = sys::send(to.fd.get(), flow.block.data() + flow.start, asked);
  }
  if (put > 0) {
    flow.held -= static_cast<size_t>(put);
    flow.start += static_cast<size_t>(put);
    flow.moved += static_cast<uint64_t>(put);
  }
  return note_sent(reactor, to, put, 1, true);
}

// What had come when it turned out that it cannot go out from a pipe.
bool Relay::empty_pipe(Flow& flow) {
  flow.copies = true;
  flow.start = 0;
  flow.block.resize(flow.held);
  for (size_t have = 0; have < flow.held;) {
    const sys::IoResult count =
        sys::read_pipe(flow.pipe.first.get(), flow.block.data() + have, flow.held - have);
    if (count <= 0) return false;
    have += static_cast<size_t>(count);
  }
  flow.pipe = {};
  return true;
}

Relay::Progress Relay::finish(Source& to, Flow& flow) {
  const Status status = sys::shutdown_socket(to.fd.get(), SHUT_WR);
  if (!status.ok()) {
    // It was reset, and says by what once.
    Result<int> pending = sys::get_option(to.fd.get(), SOL_SOCKET, SO_ERROR);
    const bool is_known = pending.ok() && pending.value() != 0;
    return fail(is_known ? -pending.value() : -status.error().code, Syscall::kShutdown);
  }
  flow.ended = true;
  flow.pipe = {};
  return Progress::kDone;
}

Relay::Progress Relay::fail(sys::IoResult result, Syscall call) {
  error_ = Error{static_cast<int>(-result), call};
  return Progress::kFailed;
}

}  // namespace sock::net
