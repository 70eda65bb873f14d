// Options of sockets by names of our own, since systems differ in which they have.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace sock::sys {

// Mirrored by `SocketOption` in lib/constants.ts.
enum class Option : uint8_t {
  kReuseAddr,
  kReusePort,
  kNoDelay,
  kIpv6Only,
  kAcceptConn,
  kKeepAlive,
  kKeepIdle,
  kKeepInterval,
  kKeepCount,
  kRecvBuffer,
  kSendBuffer,
  kFastOpen,
  kFastOpenConnect,
  kUserTimeout,
  kProtocol,
  kPassCredentials,
  kBroadcast,
  kPriority,
  kTimestamps,
  kDropCount,
  kTos,
  kTtl,
  kMulticastTtl,
  kMulticastLoopback,
  kMulticastAll,
  kPacketInfo,
  kReceiveTos,
  kReceiveTtl,
  kReceiveErrors,
  kMtuDiscovery,
  kMtu,
  kTrafficClass,
  kHopLimit,
  kMulticastHops,
  kMulticastLoopback6,
  kMulticastAll6,
  kPacketInfo6,
  kReceiveTrafficClass,
  kReceiveHopLimit,
  kReceiveErrors6,
  kMtuDiscovery6,
  kMtu6,
  kReceiveOffload,
  kCount,
};

struct OptionName {
  int level;
  int name;
};

// ENOPROTOOPT where the system has no such option.
Result<OptionName> option_name(Option option);

// The name of the algorithm that a TCP connection paces itself by.
Result<std::string> congestion_control(int fd);
Status set_congestion_control(int fd, const std::string& name);

}  // namespace sock::sys
