#include "sys/datagram_calls.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "sys/datagram_control.h"
#include "sys/retry.h"

namespace sock::sys {

namespace {

// UDP_MAX_SEGMENTS of the kernels before 6.9; later ones take twice as many.
constexpr size_t kSegmentsMax = 64;
// An IPv4 packet of 65,535 bytes less its headers.
constexpr size_t kPayloadMax = 65507;

// Errors that are about cutting, as a segment that is larger than the path takes, or a device that
// can only do it with checksums.
bool is_about_offload(int code) {
  return code == EINVAL || code == EIO || code == EMSGSIZE || code == EOPNOTSUPP;
}

// Where the next message begins.
struct Cursor {
  size_t entry = 0;
  size_t bytes = 0;
};

}  // namespace

struct DatagramCalls::Scratch {
  std::vector<mmsghdr> headers = std::vector<mmsghdr>(kDatagramsMax);
  std::vector<iovec> parts = std::vector<iovec>(kDatagramsMax);
  // Made when something stands beside a datagram for the first time.
  struct alignas(cmsghdr) Control {
    std::byte data[kDatagramControlMax];
  };
  std::vector<Control> control;
  std::optional<bool> knows_offload;

  std::byte* control_at(size_t i) {
    if (control.empty()) control.resize(kDatagramsMax);
    return control[i].data;
  }

  // A kernel that does not know the control message would pass it over, and send all in one.
  bool can_offload(int fd) {
    if (!knows_offload.has_value()) {
      knows_offload = get_option(fd, IPPROTO_UDP, UDP_SEGMENT).ok();
    }
    return *knows_offload;
  }

  size_t piece_of(const DatagramEntry& entry, size_t left, bool offload) const;
  size_t build(const SendSlots& slots, Cursor at, bool offload);
};

DatagramCalls::DatagramCalls() : scratch_(std::make_unique<Scratch>()) {}
DatagramCalls::~DatagramCalls() = default;

IoResult DatagramCalls::receive(int fd, const ReceiveSlots& slots) {
  const size_t count = std::min(slots.entries.size(), kDatagramsMax);
  for (size_t i = 0; i < count; i++) {
    DatagramEntry& entry = slots.entries[i];
    iovec& part = scratch_->parts[i];
    part = {slots.memory + i * slots.stride, slots.room};
    msghdr& message = scratch_->headers[i].msg_hdr;
    message = {};
    message.msg_name = entry.address;
    message.msg_namelen = sizeof(entry.address);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (slots.wants_control) {
      message.msg_control = scratch_->control_at(i);
      message.msg_controllen = kDatagramControlMax;
    }
  }
  const int received = retry([&] {
    return ::recvmmsg(fd, scratch_->headers.data(), static_cast<unsigned>(count), MSG_DONTWAIT,
                      nullptr);
  });
  if (received < 0) return -errno;
  for (size_t i = 0; i < static_cast<size_t>(received); i++) {
    mmsghdr& header = scratch_->headers[i];
    DatagramEntry& entry = slots.entries[i];
    entry.offset = static_cast<int32_t>(i * slots.stride);
    entry.length = static_cast<int32_t>(header.msg_len);
    entry.flags = 0;
    entry.address_size = header.msg_hdr.msg_namelen;
    entry.segment = 0;
    if (header.msg_hdr.msg_flags == 0 && !slots.wants_control) continue;
    if ((header.msg_hdr.msg_flags & MSG_TRUNC) != 0) entry.flags |= datagram_flag::kTruncated;
    if (!slots.wants_control) continue;
    if ((header.msg_hdr.msg_flags & MSG_CTRUNC) != 0) {
      entry.flags |= datagram_flag::kControlTruncated;
    }
    read_datagram_control(header.msg_hdr, entry);
  }
  return received;
}

// How many of the bytes that are left go with the next message.
size_t DatagramCalls::Scratch::piece_of(const DatagramEntry& entry, size_t left,
                                        bool offload) const {
  if (entry.segment <= 0) return left;
  const auto segment = static_cast<size_t>(entry.segment);
  const size_t segments =
      offload ? std::clamp<size_t>(kPayloadMax / segment, 1, kSegmentsMax) : size_t{1};
  return std::min(left, segment * segments);
}

// Messages from there on; how many.
size_t DatagramCalls::Scratch::build(const SendSlots& slots, Cursor at, bool offload) {
  size_t count = 0;
  while (count < kDatagramsMax && at.entry < slots.entries.size()) {
    const DatagramEntry& entry = slots.entries[at.entry];
    const auto length = static_cast<size_t>(entry.length);
    const size_t piece = piece_of(entry, length - at.bytes, offload);
    iovec& part = parts[count];
    // The kernel only reads it.
    part = {const_cast<std::byte*>(slots.memory) + entry.offset + at.bytes, piece};
    msghdr& message = headers[count].msg_hdr;
    message = {};
    if (entry.address_size > 0) {
      message.msg_name = const_cast<unsigned char*>(entry.address);
      message.msg_namelen = entry.address_size;
    }
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const bool is_cut = offload && entry.segment > 0 && piece > static_cast<size_t>(entry.segment);
    constexpr uint32_t kBeside =
        datagram_flag::kLocal | datagram_flag::kSetTos | datagram_flag::kSetTtl;
    if (is_cut || (entry.flags & kBeside) != 0) {
      std::byte* const control_data = control_at(count);
      message.msg_controllen =
          write_datagram_control(entry, is_cut ? entry.segment : 0, control_data);
      message.msg_control = control_data;
    }
    count++;
    at.bytes += piece;
    if (at.bytes >= length) at = {at.entry + 1, 0};
  }
  return count;
}

SendProgress DatagramCalls::send(int fd, const SendSlots& slots) {
  SendProgress progress;
  progress.bytes = slots.skipped;
  const bool has_segments = std::ranges::any_of(
      slots.entries, [](const DatagramEntry& entry) { return entry.segment > 0; });
  bool offload = has_segments && slots.may_offload && scratch_->can_offload(fd);
  while (progress.entries < slots.entries.size()) {
    const size_t count = scratch_->build(slots, {progress.entries, progress.bytes}, offload);
    const int sent = retry([&] {
      return ::sendmmsg(fd, scratch_->headers.data(), static_cast<unsigned>(count),
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    });
    if (sent < 0) {
      const bool was_cut = scratch_->headers[0].msg_hdr.msg_controllen > 0;
      if (offload && was_cut && is_about_offload(errno)) {
        offload = false;
        continue;
      }
      progress.error = errno;
      return progress;
    }
    for (size_t i = 0; i < static_cast<size_t>(sent); i++) {
      const DatagramEntry& entry = slots.entries[progress.entries];
      const size_t piece = scratch_->parts[i].iov_len;
      progress.total_bytes += piece;
      const auto segment = static_cast<size_t>(std::max(entry.segment, 1));
      progress.datagrams += entry.segment > 0 ? (piece + segment - 1) / segment : 1;
      progress.bytes += piece;
      if (progress.bytes >= static_cast<size_t>(entry.length)) {
        progress.entries++;
        progress.bytes = 0;
      }
    }
  }
  return progress;
}

}  // namespace sock::sys
