#include "sys/socket_calls.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>

#include "base/clock.h"
#include "sys/new_descriptors.h"
#include "sys/retry.h"
#include "sys/uncancelled.h"

namespace sock::sys {

namespace {

#ifdef MSG_MORE
constexpr int kMoreFollows = MSG_MORE;
#else
constexpr int kMoreFollows = 0;
#endif

Status status_of(int result, Syscall call) {
  if (result < 0) return Error{errno, call};
  return Nothing{};
}

// accept(2), "Error handling": errors of the new connection, not of the listening socket.
// EOPNOTSUPP of that list is left out: a socket that cannot accept says it too, and for ever.
bool is_error_of_dead_connection(int code) {
  switch (code) {
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
#ifdef ENONET
    case ENONET:
#endif
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<UniqueFd> open_socket(int family, int type) {
  const int fd = new_socket(family, type);
  if (fd < 0) return Error{errno, Syscall::kSocket};
  return UniqueFd(fd);
}

Result<FdPair> open_pair(int type) {
  int fds[2];
  if (new_socket_pair(type, fds) < 0) return Error{errno, Syscall::kSocketPair};
  return FdPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Status bind_socket(int fd, const SockAddr& address) {
  // A signal can interrupt it while it waits for the lock of a Unix socket (unix_bind in the
  // kernel), which then has no file and no name.
  return status_of(retry([&] { return ::bind(fd, address.get(), address.size()); }),
                   Syscall::kBind);
}

Status listen_socket(int fd, int backlog) {
  return status_of(::listen(fd, backlog), Syscall::kListen);
}

Result<UniqueFd> accept_socket(int fd, SockAddr* peer) {
  for (;;) {
    const int accepted = new_connection(fd, peer->out(), peer->size_out());
    if (accepted >= 0) return UniqueFd(accepted);
    if (errno == EINTR || is_error_of_dead_connection(errno)) continue;
    return Error{errno, Syscall::kAccept};
  }
}

Status connect_socket(int fd, const SockAddr& address) {
  // A connect interrupted by a signal goes on in the background: like EINPROGRESS, and calling it
  // again would say EALREADY (connect(2)).
  const int result = ::connect(fd, address.get(), address.size());
  if (result < 0 && errno == EINTR) return Error{EINPROGRESS, Syscall::kConnect};
  return status_of(result, Syscall::kConnect);
}

Status disconnect_socket(int fd) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  return status_of(retry([&] { return ::connect(fd, &nobody, sizeof(nobody)); }),
                   Syscall::kConnect);
}

Status shutdown_socket(int fd, int how) {
  return status_of(::shutdown(fd, how), Syscall::kShutdown);
}

void abort_connection(UniqueFd socket) {
  // Where the family knows no lingering, as on Unix sockets, a close leaves nothing anyway.
  constexpr linger kReset{1, 0};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &kReset, sizeof(kReset));
  socket.reset();
}

IoResult receive(int fd, void* data, size_t size) {
  const ssize_t count = retry([&] { return uncancelled::recv(fd, data, size, MSG_DONTWAIT); });
  return count >= 0 ? count : -errno;
}

IoResult send(int fd, const void* data, size_t size, Follows follows) {
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (follows == Follows::kMore ? kMoreFollows : 0);
  const ssize_t count = retry([&] { return uncancelled::send(fd, data, size, flags); });
  return count >= 0 ? count : -errno;
}

IoResult peek(int fd) {
  char byte = 0;
  const ssize_t count = retry([&] { return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT); });
  return count >= 0 ? count : -errno;
}

Result<int> get_option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (::getsockopt(fd, level, name, &value, &size) < 0) return Error{errno, Syscall::kGetSockOpt};
  return value;
}

Status set_option(int fd, int level, int name, int value) {
  return status_of(::setsockopt(fd, level, name, &value, sizeof(value)), Syscall::kSetSockOpt);
}

Result<SockAddr> local_address(int fd) {
  SockAddr address;
  if (::getsockname(fd, address.out(), address.size_out()) < 0) {
    return Error{errno, Syscall::kGetSockName};
  }
  return address;
}

Result<SockAddr> peer_address(int fd) {
  SockAddr address;
  if (::getpeername(fd, address.out(), address.size_out()) < 0) {
    return Error{errno, Syscall::kGetPeerName};
  }
  return address;
}

Result<SockAddr> source_address(const SockAddr& destination) {
  Result<UniqueFd> socket = open_socket(destination.family(), SOCK_DGRAM);
  if (!socket.ok()) return socket.error();
  const Status connected = connect_socket(socket.value().get(), destination);
  if (!connected.ok()) return connected.error();
  return local_address(socket.value().get());
}

Result<int> wait_for(int fd, int events, double timeout_ms) {
  // Without a limit, and with that of 0, no clock is read: accepts ask before each connection.
  const bool is_limited = timeout_ms > 0 && !std::isinf(timeout_ms);
  const double deadline_ms = is_limited ? now_ms() + timeout_ms : 0;
  pollfd entry{fd, static_cast<short>(events), 0};
  for (;;) {
    int wait_ms = timeout_ms == 0 ? 0 : -1;
    if (is_limited) {
      // Rounded up, so that the wait is never early; capped, so that it fits poll's int.
      const double left_ms = std::max(0.0, std::ceil(deadline_ms - now_ms()));
      wait_ms = static_cast<int>(std::min<double>(left_ms, INT_MAX));
    }
    const int count = ::poll(&entry, 1, wait_ms);
    if (count > 0) return static_cast<int>(entry.revents);
    if (count < 0 && errno != EINTR) return Error{errno, Syscall::kPoll};
    if (count == 0 && (!is_limited || now_ms() >= deadline_ms)) return 0;
  }
}

}  // namespace sock::sys
