// One datagram of a batch, beside its bytes: in memory that JavaScript sees, so that nothing has to
// be made for it. Mirrored by `DatagramWord` and `DatagramFlag` in lib/constants.ts.
#pragma once

#include <sys/un.h>

#include <cstddef>
#include <cstdint>

namespace sock::sys {

namespace datagram_flag {
// How it came.
inline constexpr uint32_t kTruncated = 1;         // it was longer than the room for it
inline constexpr uint32_t kControlTruncated = 2;  // something that came beside it was lost
inline constexpr uint32_t kTos = 4;
inline constexpr uint32_t kTtl = 8;
inline constexpr uint32_t kTime = 16;
inline constexpr uint32_t kDropped = 32;
// How it came and how it is to go: where the answer leaves from is where the question arrived.
inline constexpr uint32_t kLocal = 64;    // `interface`, and the addresses of this side
inline constexpr uint32_t kIsIpv6 = 128;  // of those addresses
// How it is to go.
inline constexpr uint32_t kSetTos = 256;
inline constexpr uint32_t kSetTtl = 512;
}  // namespace datagram_flag

struct DatagramEntry {
  int32_t offset;  // of its bytes in the memory of the batch
  int32_t length;
  uint32_t flags;
  uint32_t address_size;  // 0: none, or the peer of a connected socket
  uint32_t interface;
  int32_t tos;  // all eight bits: DSCP and ECN
  int32_t ttl;
  uint32_t dropped;              // by the socket's full buffer, since it was opened
  int32_t segment;               // more than 0: the bytes are several datagrams of this length
  unsigned char answer_from[4];  // IPv4 only, where the destination may be a group
  unsigned char destination[16];
  double time_ms;              // since 1970
  unsigned char address[112];  // sockaddr of the other side
};

inline constexpr size_t kDatagramWords = sizeof(DatagramEntry) / sizeof(int32_t);
static_assert(kDatagramWords == 44);
static_assert(offsetof(DatagramEntry, time_ms) == 56);
static_assert(offsetof(DatagramEntry, address) == 64);
static_assert(sizeof(DatagramEntry::address) >= sizeof(sockaddr_un));

}  // namespace sock::sys
