#include "net/source_transport.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/stream.h"
#include "sys/send_room.h"

namespace sock::net {

sys::IoResult SourceTransport::receive(void* data, size_t size) {
  if (early_from_ < early_.size()) {
    const size_t count = std::min(size, early_.size() - early_from_);
    std::memcpy(data, early_.data() + early_from_, count);
    early_from_ += count;
    if (early_from_ == early_.size()) {
      early_ = {};
      early_from_ = 0;
    }
    return static_cast<sys::IoResult>(count);
  }
  if (drained_) return -EAGAIN;
  const sys::IoResult result = sys::receive(source_.fd.get(), data, size);
  if (result > 0) count_received(reactor_, source_, static_cast<uint64_t>(result));
  drained_ = result == -EAGAIN ||
             (result > 0 && proves_drained(source_, static_cast<size_t>(result), size));
  return result;
}

sys::IoResult SourceTransport::send(const void* data, size_t size, sys::Follows follows) {
  const sys::IoResult result = sys::send(source_.fd.get(), data, size, follows);
  if (result > 0) count_sent(reactor_, source_, static_cast<uint64_t>(result));
  return result;
}

size_t SourceTransport::send_room() const {
  return sys::send_room(source_.fd.get());
}

}  // namespace sock::net
