// The descriptor of a source, for the filter in front of it. What goes over it is counted here:
// what goes through the filter is other bytes, and fewer.
#pragma once

#include <vector>

#include "reactor/reactor.h"

namespace sock::net {

// The source owns the filter, which owns this: it lives no longer than the source.
class SourceTransport final : public reactor::Transport {
 public:
  // `early`: bytes that were received before, and come first.
  SourceTransport(reactor::Reactor& reactor, reactor::Source& source, std::vector<std::byte> early)
      : reactor_(reactor), source_(source), early_(std::move(early)) {}

  sys::IoResult receive(void* data, size_t size) override;
  sys::IoResult send(const void* data, size_t size, sys::Follows follows) override;
  size_t send_room() const override;
  void begin_receive() override { drained_ = false; }
  bool drained() const override { return drained_; }

 private:
  reactor::Reactor& reactor_;
  reactor::Source& source_;
  std::vector<std::byte> early_;
  size_t early_from_ = 0;
  bool drained_ = false;
};

}  // namespace sock::net
