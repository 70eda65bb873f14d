// What the kernel tells about a TCP connection.
#pragma once

#include <array>
#include <cstddef>

#include "base/result.h"

namespace sock::sys {

// Mirrored by `tcpFigures` in lib/constants.ts.
enum class TcpFigure : size_t {
  kState,
  kRetransmits,
  kProbes,
  kBackoff,
  kSynDataAcked,
  kDeliveryRateAppLimited,
  kRetransmitTimeout,  // times in milliseconds
  kDelayedAckTimeout,
  kSendMss,
  kRecvMss,
  kUnacked,
  kSacked,
  kLost,
  kRetransmitted,
  kSinceDataSent,
  kSinceDataReceived,
  kSinceAckReceived,
  kPathMtu,
  kRtt,
  kRttVariance,
  kSlowStartThreshold,
  kCongestionWindow,
  kAdvertisedMss,
  kReordering,
  kRecvRtt,
  kRecvSpace,
  kTotalRetransmits,
  kPacingRate,
  kMaxPacingRate,
  kBytesAcked,
  kBytesReceived,
  kSegmentsSent,
  kSegmentsReceived,
  kNotSentBytes,
  kMinRtt,
  kDeliveryRate,
  kBusyTime,
  kReceiveWindowLimitedTime,
  kSendBufferLimitedTime,
  kDelivered,
  kDeliveredCe,
  kBytesSent,
  kBytesRetransmitted,
  kDuplicateSacks,
  kReorderings,
  kSendWindow,
  kCount,
};

// NaN: this kernel does not tell, or there is no such value yet. Infinity: no limit.
using TcpFigures = std::array<double, static_cast<size_t>(TcpFigure::kCount)>;

Result<TcpFigures> tcp_figures(int fd);

}  // namespace sock::sys
