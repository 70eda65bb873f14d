// The two queues of io_uring(7) in memory shared with the kernel: we fill the tail of submissions
// and empty the head of completions, the kernel the other two ends. Linux only.
#pragma once

#include <linux/io_uring.h>

#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "sys/mapping.h"
#include "sys/unique_fd.h"
#include "sys/uring_calls.h"

namespace sock::reactor {

class UringQueues {
 public:
  static Result<UringQueues> create(uint32_t entries);

  int fd() const { return fd_.get(); }

  // A submission to be filled in, zeroed; null while the queue is full.
  io_uring_sqe* next_submission() {
    if (sq_tail_ - load(sq_head_) == sq_entries_) return nullptr;
    io_uring_sqe* sqe = &sqes_[sq_tail_ & sq_mask_];
    *sqe = io_uring_sqe{};
    sq_tail_++;
    return sqe;
  }

  // The kernel has work of ours that it does only when asked, or completions that found no room.
  bool wants_enter() const {
    return (load(sq_flags_) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }
  bool has_submissions() const { return sq_tail_ != load(sq_head_); }
  bool has_completions() const { return load(cq_tail_) != *cq_head_; }

  // Submits everything, and runs what is ready.
  Status enter() {
    // The kernel looks for entries up to here.
    store(sq_shared_tail_, sq_tail_);
    const uint32_t count = sq_tail_ - load(sq_head_);
    const Result<uint32_t> entered = sys::uring_enter(fd_.get(), count, IORING_ENTER_GETEVENTS);
    if (!entered.ok()) return entered.error();
    return Nothing{};
  }

  // Whether completions signal the eventfd.
  void signal_completions(bool on) { store(cq_flags_, on ? 0 : IORING_CQ_EVENTFD_DISABLED); }

  bool take(io_uring_cqe& completion) {
    const uint32_t head = *cq_head_;
    if (head == load(cq_tail_)) return false;
    completion = cqes_[head & cq_mask_];
    store(cq_head_, head + 1);
    return true;
  }

 private:
  static uint32_t load(const uint32_t* word) {
    return std::atomic_ref<const uint32_t>(*word).load(std::memory_order_acquire);
  }
  static void store(uint32_t* word, uint32_t value) {
    std::atomic_ref<uint32_t>(*word).store(value, std::memory_order_release);
  }

  sys::UniqueFd fd_;
  sys::Mapping rings_;
  sys::Mapping entries_;
  io_uring_sqe* sqes_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
  uint32_t* sq_head_ = nullptr;
  uint32_t* sq_shared_tail_ = nullptr;
  uint32_t* sq_flags_ = nullptr;
  uint32_t* cq_head_ = nullptr;
  uint32_t* cq_tail_ = nullptr;
  uint32_t* cq_flags_ = nullptr;
  uint32_t sq_tail_ = 0;
  uint32_t sq_entries_ = 0;
  uint32_t sq_mask_ = 0;
  uint32_t cq_mask_ = 0;
};

}  // namespace sock::reactor
