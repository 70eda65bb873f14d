// The structure only ever grows at its end: an older kernel fills less of it, and says how much.
// glibc's <netinet/tcp.h> has an old one under the same name, so it is not included here.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sys/tcp_info.h"

namespace sock::sys {

namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kUnlimited = std::numeric_limits<double>::infinity();
// TCPI_OPT_SYN_DATA: data in a SYN was acknowledged (Fast Open, RFC 7413).
constexpr uint8_t kOptionSynData = 32;
// TCP_INFINITE_SSTHRESH of the kernel.
constexpr uint32_t kThresholdMax = 0x7fffffff;

class Reader {
 public:
  explicit Reader(size_t filled) : filled_(filled) {}

  template <class Field>
  double value(const tcp_info& info, Field tcp_info::*field) const {
    const auto* base = reinterpret_cast<const char*>(&info);
    const auto* at = reinterpret_cast<const char*>(&(info.*field));
    const size_t end = static_cast<size_t>(at - base) + sizeof(Field);
    return end <= filled_ ? static_cast<double>(info.*field) : kUnknown;
  }

  double from_us(const tcp_info& info, uint32_t tcp_info::*field) const {
    return value(info, field) / 1000;
  }

  double from_us(const tcp_info& info, unsigned long long tcp_info::*field) const {
    return value(info, field) / 1000;
  }

  double rate(const tcp_info& info, unsigned long long tcp_info::*field) const {
    return info.*field == UINT64_MAX ? kUnlimited : value(info, field);
  }

 private:
  size_t filled_;
};

void put_state(TcpFigures& figures, const tcp_info& info, const Reader& reader) {
  const auto at = [&](TcpFigure figure) -> double& { return figures[static_cast<size_t>(figure)]; };
  at(TcpFigure::kState) = reader.value(info, &tcp_info::tcpi_state);
  at(TcpFigure::kRetransmits) = reader.value(info, &tcp_info::tcpi_retransmits);
  at(TcpFigure::kProbes) = reader.value(info, &tcp_info::tcpi_probes);
  at(TcpFigure::kBackoff) = reader.value(info, &tcp_info::tcpi_backoff);
  at(TcpFigure::kSynDataAcked) = (info.tcpi_options & kOptionSynData) != 0 ? 1 : 0;
  at(TcpFigure::kDeliveryRateAppLimited) = info.tcpi_delivery_rate_app_limited;
  at(TcpFigure::kSendMss) = reader.value(info, &tcp_info::tcpi_snd_mss);
  at(TcpFigure::kRecvMss) = reader.value(info, &tcp_info::tcpi_rcv_mss);
  at(TcpFigure::kPathMtu) = reader.value(info, &tcp_info::tcpi_pmtu);
  at(TcpFigure::kAdvertisedMss) = reader.value(info, &tcp_info::tcpi_advmss);
  const double threshold = reader.value(info, &tcp_info::tcpi_snd_ssthresh);
  at(TcpFigure::kSlowStartThreshold) =
      info.tcpi_snd_ssthresh >= kThresholdMax ? kUnlimited : threshold;
  at(TcpFigure::kCongestionWindow) = reader.value(info, &tcp_info::tcpi_snd_cwnd);
  at(TcpFigure::kReordering) = reader.value(info, &tcp_info::tcpi_reordering);
  at(TcpFigure::kRecvSpace) = reader.value(info, &tcp_info::tcpi_rcv_space);
  at(TcpFigure::kSendWindow) = reader.value(info, &tcp_info::tcpi_snd_wnd);
}

void put_times(TcpFigures& figures, const tcp_info& info, const Reader& reader) {
  const auto at = [&](TcpFigure figure) -> double& { return figures[static_cast<size_t>(figure)]; };
  at(TcpFigure::kRetransmitTimeout) = reader.from_us(info, &tcp_info::tcpi_rto);
  at(TcpFigure::kDelayedAckTimeout) = reader.from_us(info, &tcp_info::tcpi_ato);
  at(TcpFigure::kSinceDataSent) = reader.value(info, &tcp_info::tcpi_last_data_sent);
  at(TcpFigure::kSinceDataReceived) = reader.value(info, &tcp_info::tcpi_last_data_recv);
  at(TcpFigure::kSinceAckReceived) = reader.value(info, &tcp_info::tcpi_last_ack_recv);
  at(TcpFigure::kRtt) = reader.from_us(info, &tcp_info::tcpi_rtt);
  at(TcpFigure::kRttVariance) = reader.from_us(info, &tcp_info::tcpi_rttvar);
  at(TcpFigure::kRecvRtt) = reader.from_us(info, &tcp_info::tcpi_rcv_rtt);
  at(TcpFigure::kMinRtt) =
      info.tcpi_min_rtt == UINT32_MAX ? kUnknown : reader.from_us(info, &tcp_info::tcpi_min_rtt);
  at(TcpFigure::kBusyTime) = reader.from_us(info, &tcp_info::tcpi_busy_time);
  at(TcpFigure::kReceiveWindowLimitedTime) = reader.from_us(info, &tcp_info::tcpi_rwnd_limited);
  at(TcpFigure::kSendBufferLimitedTime) = reader.from_us(info, &tcp_info::tcpi_sndbuf_limited);
}

void put_traffic(TcpFigures& figures, const tcp_info& info, const Reader& reader) {
  const auto at = [&](TcpFigure figure) -> double& { return figures[static_cast<size_t>(figure)]; };
  at(TcpFigure::kUnacked) = reader.value(info, &tcp_info::tcpi_unacked);
  at(TcpFigure::kSacked) = reader.value(info, &tcp_info::tcpi_sacked);
  at(TcpFigure::kLost) = reader.value(info, &tcp_info::tcpi_lost);
  at(TcpFigure::kRetransmitted) = reader.value(info, &tcp_info::tcpi_retrans);
  at(TcpFigure::kTotalRetransmits) = reader.value(info, &tcp_info::tcpi_total_retrans);
  at(TcpFigure::kPacingRate) = reader.rate(info, &tcp_info::tcpi_pacing_rate);
  at(TcpFigure::kMaxPacingRate) = reader.rate(info, &tcp_info::tcpi_max_pacing_rate);
  at(TcpFigure::kBytesAcked) = reader.value(info, &tcp_info::tcpi_bytes_acked);
  at(TcpFigure::kBytesReceived) = reader.value(info, &tcp_info::tcpi_bytes_received);
  at(TcpFigure::kSegmentsSent) = reader.value(info, &tcp_info::tcpi_segs_out);
  at(TcpFigure::kSegmentsReceived) = reader.value(info, &tcp_info::tcpi_segs_in);
  at(TcpFigure::kNotSentBytes) = reader.value(info, &tcp_info::tcpi_notsent_bytes);
  at(TcpFigure::kDeliveryRate) = reader.value(info, &tcp_info::tcpi_delivery_rate);
  at(TcpFigure::kDelivered) = reader.value(info, &tcp_info::tcpi_delivered);
  at(TcpFigure::kDeliveredCe) = reader.value(info, &tcp_info::tcpi_delivered_ce);
  at(TcpFigure::kBytesSent) = reader.value(info, &tcp_info::tcpi_bytes_sent);
  at(TcpFigure::kBytesRetransmitted) = reader.value(info, &tcp_info::tcpi_bytes_retrans);
  at(TcpFigure::kDuplicateSacks) = reader.value(info, &tcp_info::tcpi_dsack_dups);
  at(TcpFigure::kReorderings) = reader.value(info, &tcp_info::tcpi_reord_seen);
}

}  // namespace

Result<TcpFigures> tcp_figures(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) {
    return Error{errno, Syscall::kGetSockOpt};
  }
  TcpFigures figures{};
  const Reader reader(size);
  put_state(figures, info, reader);
  put_times(figures, info, reader);
  put_traffic(figures, info, reader);
  return figures;
}

}  // namespace sock::sys
