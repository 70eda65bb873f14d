#include "sys/datagram_control.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <time.h>

#include <cstring>

namespace sock::sys {

namespace {

namespace flag = datagram_flag;

class Writer {
 public:
  explicit Writer(std::byte* control) : control_(control) {}

  template <class T>
  void add(int level, int type, const T& value) {
    auto* header = reinterpret_cast<cmsghdr*>(control_ + size_);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof(T));
    std::memcpy(CMSG_DATA(header), &value, sizeof(T));
    size_ += CMSG_SPACE(sizeof(T));
  }

  size_t size() const { return size_; }

 private:
  std::byte* control_;
  size_t size_ = 0;
};

template <class T>
T read(const cmsghdr& header) {
  T value{};
  std::memcpy(&value, CMSG_DATA(&header), sizeof(T));
  return value;
}

void write_local(Writer& writer, const DatagramEntry& entry) {
  if ((entry.flags & flag::kIsIpv6) == 0) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(entry.interface);
    std::memcpy(&info.ipi_spec_dst, entry.answer_from, sizeof(info.ipi_spec_dst));
    writer.add(IPPROTO_IP, IP_PKTINFO, info);
    return;
  }
  in6_pktinfo info{};
  info.ipi6_ifindex = entry.interface;
  std::memcpy(&info.ipi6_addr, entry.destination, sizeof(info.ipi6_addr));
  // A datagram that came to a group cannot be answered from it.
  if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) info.ipi6_addr = in6addr_any;
  writer.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
}

void read_ipv4(const cmsghdr& header, DatagramEntry& entry) {
  switch (header.cmsg_type) {
    case IP_PKTINFO: {
      const auto info = read<in_pktinfo>(header);
      // An IPv6 socket has said it already, in its own words.
      if ((entry.flags & flag::kLocal) != 0) return;
      entry.interface = static_cast<uint32_t>(info.ipi_ifindex);
      std::memcpy(entry.answer_from, &info.ipi_spec_dst, sizeof(entry.answer_from));
      std::memcpy(entry.destination, &info.ipi_addr, sizeof(info.ipi_addr));
      entry.flags |= flag::kLocal;
      return;
    }
    case IP_TOS:
      // One byte, whatever is set is an int (net/ipv4/ip_sockglue.c of Linux, ip_cmsg_recv_tos).
      entry.tos = read<uint8_t>(header);
      entry.flags |= flag::kTos;
      return;
    case IP_TTL:
      entry.ttl = read<int>(header);
      entry.flags |= flag::kTtl;
      return;
    default:
      return;
  }
}

void read_ipv6(const cmsghdr& header, DatagramEntry& entry) {
  switch (header.cmsg_type) {
    case IPV6_PKTINFO: {
      const auto info = read<in6_pktinfo>(header);
      entry.interface = info.ipi6_ifindex;
      std::memcpy(entry.destination, &info.ipi6_addr, sizeof(info.ipi6_addr));
      entry.flags |= flag::kLocal | flag::kIsIpv6;
      return;
    }
    case IPV6_TCLASS:
      entry.tos = read<int>(header);
      entry.flags |= flag::kTos;
      return;
    case IPV6_HOPLIMIT:
      entry.ttl = read<int>(header);
      entry.flags |= flag::kTtl;
      return;
    default:
      return;
  }
}

void read_socket(const cmsghdr& header, DatagramEntry& entry) {
  if (header.cmsg_type == SCM_TIMESTAMPNS) {
    const auto time = read<timespec>(header);
    entry.time_ms =
        static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
    entry.flags |= flag::kTime;
  } else if (header.cmsg_type == SO_RXQ_OVFL) {
    entry.dropped = read<uint32_t>(header);
    entry.flags |= flag::kDropped;
  }
}

}  // namespace

size_t write_datagram_control(const DatagramEntry& entry, int segment, std::byte* control) {
  Writer writer(control);
  if ((entry.flags & flag::kLocal) != 0) write_local(writer, entry);
  // Of the two spellings the kernel takes the one for the packet that it makes, which on an IPv6
  // socket may be an IPv4 one, and passes the other over.
  if ((entry.flags & flag::kSetTos) != 0) {
    writer.add(IPPROTO_IP, IP_TOS, entry.tos);
    writer.add(IPPROTO_IPV6, IPV6_TCLASS, entry.tos);
  }
  if ((entry.flags & flag::kSetTtl) != 0) {
    writer.add(IPPROTO_IP, IP_TTL, entry.ttl);
    writer.add(IPPROTO_IPV6, IPV6_HOPLIMIT, entry.ttl);
  }
  if (segment > 0) writer.add(IPPROTO_UDP, UDP_SEGMENT, static_cast<uint16_t>(segment));
  return writer.size();
}

void read_datagram_control(msghdr& message, DatagramEntry& entry) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    switch (header->cmsg_level) {
      case IPPROTO_IP:
        read_ipv4(*header, entry);
        break;
      case IPPROTO_IPV6:
        read_ipv6(*header, entry);
        break;
      case IPPROTO_UDP:
        if (header->cmsg_type == UDP_GRO) entry.segment = read<int>(*header);
        break;
      case SOL_SOCKET:
        read_socket(*header, entry);
        break;
      default:
        break;
    }
  }
  if (entry.segment >= entry.length) entry.segment = 0;
}

}  // namespace sock::sys
