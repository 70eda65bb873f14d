// One datagram a call.
#include <algorithm>
#include <cerrno>

#include "sys/datagram_calls.h"
#include "sys/retry.h"

namespace sock::sys {

struct DatagramCalls::Scratch {};

DatagramCalls::DatagramCalls() = default;
DatagramCalls::~DatagramCalls() = default;

IoResult DatagramCalls::receive(int fd, const ReceiveSlots& slots) {
  size_t count = 0;
  for (; count < slots.entries.size(); count++) {
    DatagramEntry& entry = slots.entries[count];
    iovec part{slots.memory + count * slots.stride, slots.room};
    msghdr message{};
    message.msg_name = entry.address;
    message.msg_namelen = sizeof(entry.address);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t length = retry([&] { return ::recvmsg(fd, &message, MSG_DONTWAIT); });
    if (length < 0) break;
    entry.offset = static_cast<int32_t>(count * slots.stride);
    entry.length = static_cast<int32_t>(length);
    entry.flags = (message.msg_flags & MSG_TRUNC) != 0 ? datagram_flag::kTruncated : 0;
    entry.address_size = message.msg_namelen;
    entry.segment = 0;
  }
  return count > 0 ? static_cast<IoResult>(count) : -errno;
}

SendProgress DatagramCalls::send(int fd, const SendSlots& slots) {
  SendProgress progress;
  progress.bytes = slots.skipped;
  while (progress.entries < slots.entries.size()) {
    const DatagramEntry& entry = slots.entries[progress.entries];
    const auto length = static_cast<size_t>(entry.length);
    size_t piece = length - progress.bytes;
    if (entry.segment > 0) piece = std::min(piece, static_cast<size_t>(entry.segment));
    const std::byte* const data = slots.memory + entry.offset + progress.bytes;
    const auto* const address =
        entry.address_size > 0 ? reinterpret_cast<const sockaddr*>(entry.address) : nullptr;
    const ssize_t sent = retry([&] {
      return ::sendto(fd, data, piece, MSG_DONTWAIT | MSG_NOSIGNAL, address, entry.address_size);
    });
    if (sent < 0) {
      progress.error = errno;
      return progress;
    }
    progress.datagrams++;
    progress.total_bytes += piece;
    progress.bytes += piece;
    if (progress.bytes >= length) {
      progress.entries++;
      progress.bytes = 0;
    }
  }
  return progress;
}

}  // namespace sock::sys
