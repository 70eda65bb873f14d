#include "sys/sockaddr.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace sock::sys {

namespace {

constexpr socklen_t kPathOffset = offsetof(sockaddr_un, sun_path);

// The zone of "fe80::1%eth0" is an interface name or its number (RFC 4007, section 11).
bool parse_scope(const std::string& zone, uint32_t& scope) {
  if (zone.empty()) return false;
  const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), scope);
  if (error == std::errc() && end == zone.data() + zone.size()) return true;
  scope = if_nametoindex(zone.c_str());
  return scope != 0;
}

}  // namespace

Result<SockAddr> SockAddr::from_literal(const std::string& host, uint16_t port) {
  SockAddr address;
  // The calls below would take the part before it for the whole.
  if (host.find('\0') != std::string::npos) return Error{EINVAL, Syscall::kNone};
  if (inet_pton(AF_INET, host.c_str(), &address.storage_.v4.sin_addr) == 1) {
    address.storage_.v4.sin_family = AF_INET;
    address.storage_.v4.sin_port = htons(port);
    address.size_ = sizeof(sockaddr_in);
    return address;
  }
  const size_t percent = host.find('%');
  const std::string literal = host.substr(0, percent);
  address = SockAddr();
  if (inet_pton(AF_INET6, literal.c_str(), &address.storage_.v6.sin6_addr) != 1) {
    return Error{EINVAL, Syscall::kNone};
  }
  if (percent != std::string::npos) {
    uint32_t scope = 0;
    if (!parse_scope(host.substr(percent + 1), scope)) return Error{EINVAL, Syscall::kNone};
    address.storage_.v6.sin6_scope_id = scope;
  }
  address.storage_.v6.sin6_family = AF_INET6;
  address.storage_.v6.sin6_port = htons(port);
  address.size_ = sizeof(sockaddr_in6);
  return address;
}

SockAddr SockAddr::any(int family, uint16_t port) {
  SockAddr address;
  if (family == AF_INET6) {
    address.storage_.v6.sin6_family = AF_INET6;
    address.storage_.v6.sin6_addr = in6addr_any;
    address.storage_.v6.sin6_port = htons(port);
    address.size_ = sizeof(sockaddr_in6);
  } else {
    address.storage_.v4.sin_family = AF_INET;
    address.storage_.v4.sin_addr.s_addr = htonl(INADDR_ANY);
    address.storage_.v4.sin_port = htons(port);
    address.size_ = sizeof(sockaddr_in);
  }
  return address;
}

Result<SockAddr> SockAddr::from_path(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    return Error{EINVAL, Syscall::kNone};
  }
  const bool abstract = path.front() == '@';
  if (path.size() > kPathMax + (abstract ? 1 : 0)) return Error{ENAMETOOLONG, Syscall::kNone};
  SockAddr address;
  sockaddr_un& local = address.storage_.local;
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  if (abstract) local.sun_path[0] = '\0';
  address.size_ = kPathOffset + static_cast<socklen_t>(path.size() + (abstract ? 0 : 1));
  return address;
}

SockAddr SockAddr::unnamed_unix() {
  SockAddr address;
  address.storage_.local.sun_family = AF_UNIX;
  address.size_ = kPathOffset;
  return address;
}

SockAddr SockAddr::from_raw(const void* raw, socklen_t size) {
  SockAddr address;
  address.size_ = std::min<socklen_t>(size, sizeof(Storage));
  std::memcpy(&address.storage_, raw, address.size_);
  return address;
}

InetName SockAddr::inet_name() const {
  InetName name;
  if (size_ > sizeof(name.raw) || is_unix()) return name;
  name.size = size_;
  std::memcpy(name.raw, &storage_, size_);
  return name;
}

bool SockAddr::is_abstract() const {
  return is_unix() && size_ > kPathOffset && storage_.local.sun_path[0] == '\0';
}

std::string SockAddr::host() const {
  if (family() == AF_INET) {
    char text[INET_ADDRSTRLEN];
    return inet_ntop(AF_INET, &storage_.v4.sin_addr, text, sizeof(text));
  }
  if (family() == AF_INET6) {
    char text[INET6_ADDRSTRLEN];
    std::string host = inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text, sizeof(text));
    if (storage_.v6.sin6_scope_id == 0) return host;
    char name[IF_NAMESIZE];
    host += '%';
    if (if_indextoname(storage_.v6.sin6_scope_id, name) != nullptr) return host + name;
    return host + std::to_string(storage_.v6.sin6_scope_id);
  }
  if (family() != AF_UNIX || size_ <= kPathOffset) return "";
  const size_t length = size_ - kPathOffset;
  if (is_abstract()) return "@" + std::string(storage_.local.sun_path + 1, length - 1);
  return std::string(storage_.local.sun_path, strnlen(storage_.local.sun_path, length));
}

std::span<const std::byte> SockAddr::ip() const {
  switch (family()) {
    case AF_INET:
      return std::as_bytes(std::span(&storage_.v4.sin_addr, 1));
    case AF_INET6:
      return std::as_bytes(std::span(&storage_.v6.sin6_addr, 1));
    default:
      return {};
  }
}

uint16_t SockAddr::port() const {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(storage_.v6.sin6_port);
  return 0;
}

}  // namespace sock::sys
