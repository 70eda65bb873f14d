// Many datagrams by one system call: recvmmsg(2), sendmmsg(2), and segmentation offload
// (udp(7), UDP_SEGMENT and UDP_GRO) where the system has them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "sys/datagram_entry.h"
#include "sys/socket_calls.h"

namespace sock::sys {

// UIO_MAXIOV of Linux: more in one call are cut off there.
inline constexpr size_t kDatagramsMax = 1024;

// Where datagrams are received: the memory of entry i begins at i * stride, and has `room` bytes.
struct ReceiveSlots {
  std::span<DatagramEntry> entries;
  std::byte* memory = nullptr;
  size_t stride = 0;
  size_t room = 0;
  bool wants_control = false;  // what comes beside the datagrams is looked at
};

// What is sent: the bytes of each entry lie where it says, all of which is within the memory.
struct SendSlots {
  std::span<const DatagramEntry> entries;
  const std::byte* memory = nullptr;
  size_t skipped = 0;       // bytes of the first entry, which is cut into segments, that have gone
  bool may_offload = true;  // the kernel may cut entries; otherwise we do
};

// How far a send has come: so many entries, and of the next one so many bytes.
struct SendProgress {
  size_t entries = 0;
  size_t bytes = 0;
  size_t datagrams = 0;
  size_t total_bytes = 0;
  int error = 0;  // why it went no further: an errno, 0 when everything has gone
};

// The memory that the calls need besides. One per thread.
class DatagramCalls {
 public:
  DatagramCalls();
  ~DatagramCalls();
  DatagramCalls(const DatagramCalls&) = delete;
  DatagramCalls& operator=(const DatagramCalls&) = delete;

  // How many entries were filled, at least one, or a negative errno. Less than all of them: the
  // kernel had no more, or an error to tell next.
  IoResult receive(int fd, const ReceiveSlots& slots);
  SendProgress send(int fd, const SendSlots& slots);

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace sock::sys
