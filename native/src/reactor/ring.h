// A completion ring: requests are queued, given to the kernel together, and their completions taken
// from memory that it shares with us. Linux has one (io_uring); elsewhere none can be made.
//
// Promises, to whoever drives it:
// - A request is named by a key that the caller chooses: a small dense number, free again once its
//   last completion was taken. Every request that was accepted has exactly one last completion, be
//   it done, failed, or cancelled (-ECANCELED).
// - No memory of the caller is left with the kernel. What is sent is copied when it is queued, or
//   lies in memory that was registered and that its owner keeps for as long as the ring.
// - Nothing is called back: completions wait until take() asks for them.
// - It belongs to the thread that made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"

namespace sock::reactor {

// What became of a request, or what a request that goes on has brought.
struct Completion {
  uint32_t key = 0;
  // Bytes moved, a descriptor that was accepted, or a negative errno.
  int32_t result = 0;
  // False: the last one of the request.
  bool more = false;
  // What was received; good until the next take().
  std::span<const std::byte> bytes;
};

struct RingConfig {
  // Requests that can be queued between two submissions without one more system call.
  uint32_t entries = 1024;
  // What one receive brings at most.
  uint32_t buffer_size = 16 * 1024;
};

class Ring {
 public:
  static constexpr uint32_t kEntriesMax = 4096;

  virtual ~Ring() = default;

  // Queue one request. A receive goes on until it is cancelled or fails with `multishot`, and takes
  // no memory while it waits. An accept goes on likewise.
  virtual Status receive(uint32_t key, int fd, uint32_t size, bool multishot) = 0;
  virtual Status send(uint32_t key, int fd, std::span<const std::byte> bytes) = 0;
  virtual Status accept(uint32_t key, int fd) = 0;
  // Of memory that was registered: without a copy where the network can do that. Its completion
  // says that the memory may be written again.
  virtual Status send_registered(uint32_t key, int fd, std::span<const std::byte> bytes) = 0;
  // For send_registered; once.
  virtual Status register_memory(std::span<std::byte> memory) = 0;
  // Queues the wish: what happens to the request is told by its completion.
  virtual void cancel(uint32_t key) = 0;
  virtual void cancel_all() = 0;

  // Gives the kernel what is queued, and has it finish what is ready, by one system call; none if
  // there is nothing to do. `quiet` keeps completions that this very call brings from making
  // event_fd() readable: for who takes them right after it.
  virtual Status submit(bool quiet) = 0;
  // The next completion; false when there is none.
  virtual bool take(Completion& completion) = 0;
  // Whether submit() or take() has something to do.
  virtual bool is_due() const = 0;
  // Requests whose last completion was not taken yet.
  virtual size_t pending() const = 0;
  // An eventfd, signalled when something became due.
  virtual int event_fd() const = 0;
};

// ENOSYS, EPERM or EINVAL where kernel or sandbox refuse.
Result<std::unique_ptr<Ring>> make_ring(const RingConfig& config);

}  // namespace sock::reactor
