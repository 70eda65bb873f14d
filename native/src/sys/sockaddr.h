// Socket addresses: IPv4, IPv6 (with scope) and Unix (path, abstract name, unnamed).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sock::sys {

// An internet address in the space it needs, for keeping one per connection. Size 0: none.
struct InetName {
  socklen_t size = 0;
  alignas(sockaddr_in6) unsigned char raw[sizeof(sockaddr_in6)] = {};
};

class SockAddr {
 public:
  SockAddr() = default;

  // A literal only ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"); anything else is EINVAL.
  static Result<SockAddr> from_literal(const std::string& host, uint16_t port);
  static SockAddr any(int family, uint16_t port);
  // A path, or "@name" for Linux's abstract namespace (exact length, no padding: unix(7)).
  // Too long is ENAMETOOLONG, an empty path or one with a NUL inside is EINVAL.
  static Result<SockAddr> from_path(std::string_view path);
  // A Unix address without a name: bind(2) makes one up.
  static SockAddr unnamed_unix();
  static SockAddr from_raw(const void* raw, socklen_t size);

  // Empty for a Unix address, which would not fit.
  InetName inet_name() const;

  int family() const { return storage_.base.sa_family; }
  bool is_unix() const { return family() == AF_UNIX; }
  const sockaddr* get() const { return &storage_.base; }
  sockaddr* out() { return &storage_.base; }
  socklen_t size() const { return size_; }
  socklen_t* size_out() {
    size_ = sizeof(storage_);
    return &size_;
  }

  // Numeric address with its scope, the Unix path, "@name", or "" for an unnamed Unix socket.
  std::string host() const;
  // The 4 or 16 bytes of the IP address, in network order; none of a Unix address.
  std::span<const std::byte> ip() const;
  uint16_t port() const;
  bool is_abstract() const;

  // A path needs a byte of sun_path for its final NUL. An abstract name has none, so that "@name"
  // may be one byte longer.
  static constexpr size_t kPathMax = sizeof(sockaddr_un{}.sun_path) - 1;

 private:
  union Storage {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
  } storage_{};
  socklen_t size_ = 0;
};

}  // namespace sock::sys
