#include <algorithm>
#include <cerrno>

#include "reactor/uring_queues.h"

namespace sock::reactor {

Result<UringQueues> UringQueues::create(uint32_t entries) {
  io_uring_params params{};
  // Deferred task work runs within our own enter() instead of interrupting JavaScript; Linux 6.1.
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER |
                 IORING_SETUP_DEFER_TASKRUN;
  // Twice as many would do for one completion each; requests that go on bring several.
  params.cq_entries = entries * 4;
  Result<sys::UniqueFd> fd = sys::uring_setup(entries, params);
  if (!fd.ok()) return fd.error();

  UringQueues queues;
  queues.fd_ = fd.take();
  const size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
  const size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  // One mapping has both: IORING_FEAT_SINGLE_MMAP, older than the flags above.
  Result<sys::Mapping> rings =
      sys::Mapping::shared(std::max(sq_size, cq_size), queues.fd(), IORING_OFF_SQ_RING);
  if (!rings.ok()) return rings.error();
  Result<sys::Mapping> submissions =
      sys::Mapping::shared(params.sq_entries * sizeof(io_uring_sqe), queues.fd(), IORING_OFF_SQES);
  if (!submissions.ok()) return submissions.error();
  queues.rings_ = rings.take();
  queues.entries_ = submissions.take();

  const sys::Mapping& shared = queues.rings_;
  queues.sqes_ = queues.entries_.at<io_uring_sqe>(0);
  queues.cqes_ = shared.at<io_uring_cqe>(params.cq_off.cqes);
  queues.sq_head_ = shared.at<uint32_t>(params.sq_off.head);
  queues.sq_shared_tail_ = shared.at<uint32_t>(params.sq_off.tail);
  queues.sq_flags_ = shared.at<uint32_t>(params.sq_off.flags);
  queues.cq_head_ = shared.at<uint32_t>(params.cq_off.head);
  queues.cq_tail_ = shared.at<uint32_t>(params.cq_off.tail);
  queues.cq_flags_ = shared.at<uint32_t>(params.cq_off.flags);
  queues.sq_entries_ = params.sq_entries;
  queues.sq_mask_ = *shared.at<uint32_t>(params.sq_off.ring_mask);
  queues.cq_mask_ = *shared.at<uint32_t>(params.cq_off.ring_mask);
  // Entry and place in the queue are the same, always.
  auto* places = shared.at<uint32_t>(params.sq_off.array);
  for (uint32_t i = 0; i < params.sq_entries; i++) places[i] = i;
  return queues;
}

}  // namespace sock::reactor
