// The completion ring of io_uring(7), by its system calls.
//
// Theory of operation. The ring has a single issuer and deferred task work: what the kernel has to
// do for a request that became ready waits for our next enter(), so nothing of it ever runs between
// two lines of ours. An epoll that watches such a ring is never woken; the registered eventfd is,
// when the first piece of task work arrives, and whoever hears it enters once for all of them.
//
// A request that runs out of provided buffers has failed for the kernel, but not for its caller:
// more buffers are put in, and it is queued again. So is one that was to go on and that the kernel
// ended for a reason of its own (its completion found no room).
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "reactor/provided_buffers.h"
#include "reactor/ring.h"
#include "reactor/uring_queues.h"

namespace sock::reactor {

namespace {

// Of entries that are no request of the caller.
constexpr uint64_t kNobody = UINT64_MAX;
// A request keeps memory of up to that size for the next send under its key.
constexpr size_t kKeptMax = 16 * 1024;

class UringRing final : public Ring {
 public:
  UringRing(UringQueues queues, ProvidedBuffers buffers, sys::UniqueFd event)
      : event_(std::move(event)), buffers_(std::move(buffers)), queues_(std::move(queues)) {}

  Status receive(uint32_t key, int fd, uint32_t size, bool multishot) override {
    return begin(key, Request{Kind::kReceive, multishot, fd, size, {}, {}});
  }

  Status send(uint32_t key, int fd, std::span<const std::byte> bytes) override {
    // Memory that an earlier request under this key has left.
    if (requests_.size() <= key) requests_.resize(key + 1);
    std::vector<std::byte> copy = std::move(requests_[key].copy);
    copy.assign(bytes.begin(), bytes.end());
    Request request{Kind::kSend, false, fd, 0, std::move(copy), {}};
    request.bytes = request.copy;
    return begin(key, std::move(request));
  }

  Status accept(uint32_t key, int fd) override {
    return begin(key, Request{Kind::kAccept, true, fd, 0, {}, {}});
  }

  Status send_registered(uint32_t key, int fd, std::span<const std::byte> bytes) override {
    return begin(key, Request{Kind::kSendRegistered, false, fd, 0, {}, bytes});
  }

  Status register_memory(std::span<std::byte> memory) override {
    const iovec vector{memory.data(), memory.size()};
    return sys::uring_register(queues_.fd(), IORING_REGISTER_BUFFERS, &vector, 1);
  }

  void cancel(uint32_t key) override {
    if (key >= requests_.size() || requests_[key].kind == Kind::kNone) return;
    // Ahead of the cancellation, which finds only what the kernel has.
    queue_again();
    requests_[key].cancelled = true;
    if (!cancel_in_kernel(key, 0)) cancel_again_ = true;
  }

  void cancel_all() override {
    if (pending_ == 0) return;
    queue_again();
    for (Request& request : requests_) request.cancelled = true;
    const uint32_t everything = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    if (!cancel_in_kernel(0, everything)) cancel_again_ = true;
  }

  Status submit(bool quiet) override {
    queue_again();
    if (cancel_again_) repeat_cancellations();
    if (!queues_.has_submissions() && !queues_.wants_enter()) return Nothing{};
    if (quiet) queues_.signal_completions(false);
    const Status entered = queues_.enter();
    if (quiet) queues_.signal_completions(true);
    return entered;
  }

  bool take(Completion& completion) override {
    give_back_taken();
    io_uring_cqe cqe;
    while (queues_.take(cqe)) {
      if (cqe.user_data == kNobody) continue;
      if (translate(cqe, completion)) return true;
    }
    return false;
  }

  bool is_due() const override {
    return queues_.has_completions() || queues_.has_submissions() || queues_.wants_enter() ||
           !again_.empty() || cancel_again_;
  }

  size_t pending() const override { return pending_; }
  int event_fd() const override { return event_.get(); }

 private:
  enum class Kind : uint8_t { kNone, kReceive, kSend, kAccept, kSendRegistered };

  struct Request {
    Kind kind = Kind::kNone;
    bool goes_on = false;
    int fd = -1;
    uint32_t size = 0;
    std::vector<std::byte> copy;
    std::span<const std::byte> bytes;
    bool cancelled = false;
    int32_t result = 0;  // of a send whose memory the network still has
  };

  Status begin(uint32_t key, Request request) {
    if (requests_.size() <= key) requests_.resize(key + 1);
    SOCK_CHECK(requests_[key].kind == Kind::kNone);
    requests_[key] = std::move(request);
    const Status queued = queue(key);
    if (queued.ok()) {
      pending_++;
    } else {
      requests_[key].kind = Kind::kNone;
    }
    return queued;
  }

  // Room for one more, for which those that are queued may have to go ahead.
  io_uring_sqe* submission() {
    io_uring_sqe* sqe = queues_.next_submission();
    if (sqe != nullptr) return sqe;
    (void)queues_.enter().ok();
    return queues_.next_submission();
  }

  Status queue(uint32_t key) {
    io_uring_sqe* sqe = submission();
    if (sqe == nullptr) return Error{EAGAIN, Syscall::kIoUringEnter};
    const Request& request = requests_[key];
    sqe->fd = request.fd;
    sqe->user_data = key;
    switch (request.kind) {
      case Kind::kReceive:
        sqe->opcode = IORING_OP_RECV;
        sqe->flags = IOSQE_BUFFER_SELECT;
        sqe->buf_group = ProvidedBuffers::kGroup;
        // One that goes on may not say how much: always a buffer.
        if (request.goes_on) {
          sqe->ioprio = IORING_RECV_MULTISHOT;
        } else {
          sqe->len = request.size;
        }
        break;
      case Kind::kSend:
        sqe->opcode = IORING_OP_SEND;
        set_bytes(*sqe, request.bytes);
        break;
      case Kind::kSendRegistered:
        sqe->opcode = IORING_OP_SEND_ZC;
        sqe->ioprio = IORING_RECVSEND_FIXED_BUF;
        set_bytes(*sqe, request.bytes);
        break;
      case Kind::kAccept:
        sqe->opcode = IORING_OP_ACCEPT;
        sqe->ioprio = IORING_ACCEPT_MULTISHOT;
        sqe->accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
        break;
      case Kind::kNone:
        break;
    }
    return Nothing{};
  }

  static void set_bytes(io_uring_sqe& sqe, std::span<const std::byte> bytes) {
    sqe.addr = reinterpret_cast<uint64_t>(bytes.data());
    sqe.len = static_cast<uint32_t>(bytes.size());
    sqe.msg_flags = MSG_NOSIGNAL;
  }

  // False: there is no room for the wish.
  bool cancel_in_kernel(uint64_t key, uint32_t flags) {
    io_uring_sqe* sqe = submission();
    if (sqe == nullptr) return false;
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    sqe->addr = key;
    sqe->cancel_flags = flags;
    sqe->user_data = kNobody;
    return true;
  }

  // Those that were not heard the first time, and, which does no harm, those that were.
  void repeat_cancellations() {
    cancel_again_ = false;
    for (uint32_t key = 0; key < requests_.size() && !cancel_again_; key++) {
      const Request& request = requests_[key];
      if (request.kind == Kind::kNone || !request.cancelled) continue;
      cancel_again_ = !cancel_in_kernel(key, 0);
    }
  }

  void queue_again() {
    std::erase_if(again_, [this](uint32_t key) { return queue(key).ok(); });
  }

  // False: nothing that the caller has to hear.
  bool translate(const io_uring_cqe& cqe, Completion& completion) {
    const auto key = static_cast<uint32_t>(cqe.user_data);
    Request& request = requests_[key];
    const bool has_more = (cqe.flags & IORING_CQE_F_MORE) != 0;
    completion = Completion{key, cqe.res, has_more, {}};
    if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
      taken_ = static_cast<int32_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
      completion.bytes =
          buffers_.at(static_cast<uint16_t>(taken_), static_cast<size_t>(std::max(cqe.res, 0)));
    }
    if (request.kind == Kind::kSendRegistered) return translate_registered(cqe, completion);
    if (request.kind == Kind::kReceive && cqe.res == -ENOBUFS && !request.cancelled) {
      buffers_.grow();
      again_.push_back(key);
      return false;
    }
    // Ended by the kernel, and nothing wrong with it. The end of a stream is one.
    const bool is_fine = request.kind == Kind::kAccept ? cqe.res >= 0 : cqe.res > 0;
    if (!has_more && request.goes_on && is_fine && !request.cancelled) {
      again_.push_back(key);
      completion.more = true;
    }
    if (request.kind == Kind::kReceive && cqe.res == -ENOBUFS) completion.result = -ECANCELED;
    if (!completion.more) finish(request);
    return true;
  }

  // The result comes first, and word that the memory is free after it, unless it failed.
  bool translate_registered(const io_uring_cqe& cqe, Completion& completion) {
    Request& request = requests_[completion.key];
    const bool is_notice = (cqe.flags & IORING_CQE_F_NOTIF) != 0;
    if (!is_notice && completion.more) {
      request.result = cqe.res;
      return false;
    }
    if (is_notice) completion.result = request.result;
    completion.more = false;
    finish(request);
    return true;
  }

  void finish(Request& request) {
    std::vector<std::byte> copy = std::move(request.copy);
    if (copy.capacity() > kKeptMax) copy = {};
    request = Request{};
    request.copy = std::move(copy);
    pending_--;
  }

  void give_back_taken() {
    if (taken_ >= 0) buffers_.give_back(static_cast<uint16_t>(taken_));
    taken_ = -1;
  }

  std::vector<Request> requests_;  // by key
  std::vector<uint32_t> again_;    // keys to be queued once more
  bool cancel_again_ = false;
  size_t pending_ = 0;
  int32_t taken_ = -1;  // the buffer that the last completion shows
  sys::UniqueFd event_;
  ProvidedBuffers buffers_;
  // Declared last: the kernel lets go of the ring before its memory goes.
  UringQueues queues_;
};

}  // namespace

Result<std::unique_ptr<Ring>> make_ring(const RingConfig& config) {
  Result<UringQueues> queues = UringQueues::create(config.entries);
  if (!queues.ok()) return queues.error();
  const int fd = queues.value().fd();
  Result<ProvidedBuffers> buffers = ProvidedBuffers::create(fd, config.buffer_size);
  if (!buffers.ok()) return buffers.error();
  sys::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return Error{errno, Syscall::kEventFd};
  const int event_fd = event.get();
  const Status registered = sys::uring_register(fd, IORING_REGISTER_EVENTFD, &event_fd, 1);
  if (!registered.ok()) return registered.error();
  std::unique_ptr<Ring> ring =
      std::make_unique<UringRing>(queues.take(), buffers.take(), std::move(event));
  return ring;
}

}  // namespace sock::reactor
