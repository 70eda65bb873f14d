// A part of a file on its way into a socket, piece by piece.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/file_loader.h"
#include "reactor/reactor.h"
#include "sys/socket_calls.h"

namespace sock::net {

class FileSender {
 public:
  static constexpr uint64_t kToEnd = UINT64_MAX;
  // What one send() may move: what the event loop is held up by while others wait, and, where
  // nobody does, about a quarter of a millisecond's worth.
  static constexpr size_t kPieceMax = 256 * 1024;
  static constexpr size_t kBurstMax = 4 * 1024 * 1024;
  // How much of a file that is not in memory is fetched at a time.
  static constexpr size_t kWindow = 1024 * 1024;

  FileSender(uint32_t id, FileLoader& loader, uint64_t offset, uint64_t length)
      : id_(id), loader_(loader), position_(offset), left_(length) {}

  // One of these comes first. The descriptor is duplicated; with open_later() the loader opens.
  Status open(int fd);
  Status open(const std::string& path);
  void open_later(const std::string& path);

  // Bytes that the socket took, at most `most` of them, 0 at the end of the file or of the length
  // that was asked for, or a negative errno: -EAGAIN while the socket is full, -EINPROGRESS while
  // the loader is at work, which it never is with `may_block`. `wait` as in net::send.
  sys::IoResult send(reactor::Reactor& reactor, reactor::Source& source, bool wait, bool may_block,
                     size_t most = kPieceMax);
  void loaded(const Loaded& loaded);
  // The call behind an error of the file; kNone when what send() said last is about the socket.
  Syscall file_fault() const { return file_fault_; }

 private:
  // For kernels that can only be asked byte by byte. They read ahead by 128 KiB unless told
  // otherwise (read_ahead_kb), so what is in memory comes in runs of at least that; half of it
  // leaves a margin. A probe touches memory that nobody else does, a tenth of the whole work at
  // this step; where all was there so far it grows.
  static constexpr size_t kProbeStep = 64 * 1024;

  // How bytes go, best first. A way that is refused is not tried again.
  enum class Way : uint8_t { kSendFile, kSplice, kCopy };

  Status adopt(sys::UniqueFd file);
  size_t next_piece(size_t most);
  bool is_at_hand(size_t piece);
  void load(size_t size);
  sys::IoResult send_piece(reactor::Reactor& reactor, reactor::Source& source, size_t piece,
                           bool wait);
  sys::IoResult send_directly(reactor::Reactor& reactor, reactor::Source& source, size_t piece,
                              bool wait);
  sys::IoResult fetch(size_t piece);
  sys::IoResult fetch_into_pipe(size_t piece);
  sys::IoResult fetch_into_memory(size_t piece);
  sys::IoResult send_held(reactor::Reactor& reactor, reactor::Source& source, bool wait);
  void advance(sys::IoResult count);
  sys::IoResult fault(sys::IoResult result, Syscall call);

  const uint32_t id_;
  FileLoader& loader_;
  uint64_t position_;  // of the next byte to be taken from the file
  uint64_t left_;      // to be taken
  std::string path_;   // of what the loader opens
  SharedFile file_;
  uint64_t size_ = 0;
  uint64_t at_hand_until_ = 0;  // known to be in memory
  size_t probe_step_ = kProbeStep;
  bool loading_ = false;
  Syscall file_fault_ = Syscall::kNone;
  Error error_;  // of the opening
  Way way_ = Way::kSendFile;

  // Taken from the file and not sent yet: in the pipe, or in memory from `start_` on.
  size_t held_ = 0;
  bool in_pipe_ = false;
  size_t start_ = 0;
  sys::FdPair pipe_;
  using Block = std::array<std::byte, 64 * 1024>;
  std::unique_ptr<Block> block_;
};

}  // namespace sock::net
