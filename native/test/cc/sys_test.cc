#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "base/clock.h"
#include "support.h"
#include "sys/descriptor_flags.h"
#include "sys/peer_credentials.h"
#include "sys/pipe.h"
#include "sys/retry.h"
#include "sys/send_room.h"
#include "sys/sockaddr.h"
#include "sys/socket_calls.h"
#include "sys/socket_identity.h"
#include "sys/socket_options.h"
#include "sys/tcp_info.h"
#include "sys/thread_priority.h"
#include "sys/unique_fd.h"

namespace sock::sys {

using test::code_of;
using test::must;
using test::take;

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

bool closes_on_exec(int fd) {
  return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

bool is_non_blocking(int fd) {
  return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

int literal_error(const std::string& host) {
  return code_of(SockAddr::from_literal(host, 80));
}

int path_error(const std::string& path) {
  return code_of(SockAddr::from_path(path));
}

}  // namespace

TEST_CASE("a descriptor is closed when its owner goes") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  int number = -1;
  {
    const UniqueFd copy(::dup(pair.first.get()));
    number = copy.get();
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a moved descriptor has one owner, and the old one of the target is closed") {
  FdPair pair = take(open_pair(SOCK_STREAM));
  const int kept = pair.first.get();
  const int dropped = pair.second.get();
  pair.second = std::move(pair.first);
  CHECK(pair.second.get() == kept);
  CHECK_FALSE(is_open(dropped));
  CHECK(is_open(kept));
}

TEST_CASE("a released descriptor stays open") {
  FdPair pair = take(open_pair(SOCK_STREAM));
  const int number = pair.first.release();
  CHECK_FALSE(static_cast<bool>(pair.first));
  pair.first.reset();
  CHECK(is_open(number));
  const UniqueFd again(number);
}

TEST_CASE("an IPv4 literal keeps its address and port") {
  const SockAddr address = take(SockAddr::from_literal("192.0.2.1", 8080));
  CHECK(address.family() == AF_INET);
  CHECK(address.host() == "192.0.2.1");
  CHECK(address.port() == 8080);
  CHECK(address.size() == sizeof(sockaddr_in));
}

TEST_CASE("an IPv6 literal is written in its shortest form") {
  const SockAddr address = take(SockAddr::from_literal("2001:DB8:0:0:0:0:0:1", 1));
  CHECK(address.family() == AF_INET6);
  CHECK(address.host() == "2001:db8::1");
  CHECK(address.size() == sizeof(sockaddr_in6));
}

TEST_CASE("a zone is an interface by name or by number") {
  const uint32_t index = ::if_nametoindex("lo");
  REQUIRE(index != 0);
  CHECK(take(SockAddr::from_literal("fe80::1%lo", 1)).host() == "fe80::1%lo");
  CHECK(take(SockAddr::from_literal("fe80::1%" + std::to_string(index), 1)).host() == "fe80::1%lo");
  CHECK(take(SockAddr::from_literal("fe80::1%4000000000", 1)).host() == "fe80::1%4000000000");
}

TEST_CASE("what is no literal is refused") {
  for (const char* host :
       {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "::1::", "[::1]", "::1%",
        "::1%no-such-zone", "::1%99999999999", "1.2.3.4%lo", " 1.2.3.4", "1.2.3.4 "}) {
    CAPTURE(host);
    CHECK(literal_error(host) == EINVAL);
  }
}

TEST_CASE("a literal followed by a NUL and more is refused") {
  CHECK(literal_error(std::string("1.2.3.4\0.example", 16)) == EINVAL);
  CHECK(literal_error(std::string("::1\0x", 5)) == EINVAL);
  CHECK(literal_error(std::string("fe80::1%lo\0x", 12)) == EINVAL);
}

TEST_CASE("the wildcard of a family is its own, not loopback") {
  CHECK(SockAddr::any(AF_INET, 5).host() == "0.0.0.0");
  CHECK(SockAddr::any(AF_INET6, 5).host() == "::");
  CHECK(SockAddr::any(AF_INET6, 5).port() == 5);
}

TEST_CASE("a Unix path may be as long as its field less the final NUL") {
  const std::string longest(SockAddr::kPathMax, 'p');
  CHECK(take(SockAddr::from_path(longest)).host() == longest);
  CHECK(path_error(longest + "p") == ENAMETOOLONG);
}

TEST_CASE("an abstract name is as long as it is, and may fill its field") {
  const SockAddr address = take(SockAddr::from_path("@name"));
  CHECK(address.is_abstract());
  CHECK(address.host() == "@name");
  CHECK(address.size() == offsetof(sockaddr_un, sun_path) + 5);
  const std::string longest = "@" + std::string(SockAddr::kPathMax, 'n');
  CHECK(take(SockAddr::from_path(longest)).host() == longest);
  CHECK(path_error(longest + "n") == ENAMETOOLONG);
}

TEST_CASE("an empty path and one with a NUL are refused") {
  CHECK(path_error("") == EINVAL);
  CHECK(path_error(std::string("/tmp/a\0b", 8)) == EINVAL);
  CHECK(path_error(std::string("@a\0b", 4)) == EINVAL);
}

TEST_CASE("an unnamed Unix socket has no name and no port") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  const SockAddr address = take(local_address(pair.first.get()));
  CHECK(address.is_unix());
  CHECK_FALSE(address.is_abstract());
  CHECK(address.host().empty());
  CHECK(address.port() == 0);
}

TEST_CASE("a raw address longer than any known is cut, not overrun") {
  sockaddr_storage raw{};
  raw.ss_family = AF_UNIX;
  const SockAddr address =
      SockAddr::from_raw(reinterpret_cast<const sockaddr*>(&raw), sizeof(raw) + 1000);
  CHECK(address.size() <= sizeof(sockaddr_storage));
}

TEST_CASE("every descriptor is close-on-exec and non-blocking from birth") {
  const test::Listener listener;
  const FdPair connection = test::connect_tcp();
  const FdPair pair = take(open_pair(SOCK_SEQPACKET));
  const FdPair pipe = take(open_pipe());
  for (const UniqueFd* fd : {&listener.fd, &connection.first, &connection.second, &pair.first,
                             &pair.second, &pipe.first, &pipe.second}) {
    CHECK(closes_on_exec(fd->get()));
    CHECK(is_non_blocking(fd->get()));
  }
}

TEST_CASE("accept says who came, and EAGAIN when nobody did") {
  for (const int family : {AF_INET, AF_INET6}) {
    const test::Listener listener(family);
    SockAddr peer;
    CHECK(code_of(accept_socket(listener.fd.get(), &peer)) == EAGAIN);
    const UniqueFd client = take(open_socket(family, SOCK_STREAM));
    (void)connect_socket(client.get(), listener.address).ok();
    REQUIRE(take(wait_for(listener.fd.get(), POLLIN, 5000)) == POLLIN);
    const UniqueFd accepted = take(accept_socket(listener.fd.get(), &peer));
    const SockAddr local = take(local_address(client.get()));
    CHECK(peer.host() == local.host());
    CHECK(peer.port() == local.port());
    CHECK(take(peer_address(accepted.get())).port() == local.port());
  }
}

TEST_CASE("the source address of a destination is of its family; one that is refused has none") {
  for (const char* loopback : {"127.0.0.1", "::1"}) {
    const SockAddr destination = take(SockAddr::from_literal(loopback, 9));
    CHECK(take(source_address(destination)).host() == loopback);
  }
  // Broadcasting has to be asked for.
  const SockAddr nobody = take(SockAddr::from_literal("255.255.255.255", 9));
  CHECK(code_of(source_address(nobody)) == EACCES);
}

TEST_CASE("sending to a peer that is gone is EPIPE and no signal") {
  FdPair pair = take(open_pair(SOCK_STREAM));
  pair.second.reset();
  CHECK(send(pair.first.get(), "x", 1) == -EPIPE);
}

TEST_CASE("receive never blocks, not even on a blocking descriptor") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  REQUIRE(::fcntl(pair.first.get(), F_SETFL, 0) == 0);
  char byte = 0;
  CHECK(receive(pair.first.get(), &byte, 1) == -EAGAIN);
  CHECK(test::fill(pair.first.get()) > 0);
}

TEST_CASE("three quarters of the room that a socket tells are taken whole") {
  constexpr size_t kLeast = 16 * 1024;
  for (const int family : {AF_UNIX, AF_INET, AF_INET6}) {
    CAPTURE(family);
    const FdPair pair =
        family == AF_UNIX ? take(open_pair(SOCK_STREAM)) : test::connect_tcp(family);
    const int fd = pair.first.get();
    size_t told = send_room(fd);
#ifdef __linux__
    CHECK(told > 0);
#endif
    const std::string bytes(8 * 1024 * 1024, 'x');
    for (; told >= kLeast; told = send_room(fd)) {
      const size_t size = std::min(told - told / 4, bytes.size());
      REQUIRE(send(fd, bytes.data(), size) == static_cast<IoResult>(size));
    }
  }
  CHECK(send_room(-1) == 0);
}

TEST_CASE("an orderly end is a receive of nothing") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  must(shutdown_socket(pair.first.get(), SHUT_WR));
  char byte = 0;
  CHECK(receive(pair.second.get(), &byte, 1) == 0);
}

TEST_CASE("an error names the call that failed") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  CHECK(listen_socket(pair.first.get(), 1).error().call == Syscall::kListen);
  CHECK(shutdown_socket(-1, SHUT_WR).error().call == Syscall::kShutdown);
  CHECK(open_socket(-1, SOCK_STREAM).error().call == Syscall::kSocket);
  CHECK(local_address(-1).error().call == Syscall::kGetSockName);
  CHECK(code_of(local_address(-1)) == EBADF);
}

TEST_CASE("an option reads back as it was set") {
  const UniqueFd fd = take(open_socket(AF_INET, SOCK_STREAM));
  must(set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1));
  CHECK(take(get_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE)) == 1);
  CHECK(set_option(fd.get(), SOL_SOCKET, -1, 1).error().call == Syscall::kSetSockOpt);
}

TEST_CASE("waiting ends with the event, or with the time and never before") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  const double before_ms = now_ms();
  CHECK(take(wait_for(pair.first.get(), POLLIN, 20)) == 0);
  CHECK(now_ms() - before_ms >= 20);
  CHECK(send(pair.second.get(), "x", 1) == 1);
  CHECK(take(wait_for(pair.first.get(), POLLIN, -1)) == POLLIN);
}

TEST_CASE("a signal does not cut a wait short") {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  struct sigaction previous;
  REQUIRE(::sigaction(SIGUSR1, &action, &previous) == 0);
  const FdPair pair = take(open_pair(SOCK_STREAM));
  std::atomic<bool> over = false;
  std::thread bell([&over, waiter = ::pthread_self()] {
    while (!over) {
      ::pthread_kill(waiter, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  const double before_ms = now_ms();
  const int events = take(wait_for(pair.first.get(), POLLIN, 30));
  const double waited_ms = now_ms() - before_ms;
  over = true;
  bell.join();
  ::sigaction(SIGUSR1, &previous, nullptr);
  CHECK(events == 0);
  CHECK(waited_ms >= 30);
}

TEST_CASE("an interrupted call is made again, another failure is not") {
  int calls = 0;
  const int result = retry([&] {
    errno = EINTR;
    return ++calls < 3 ? -1 : 7;
  });
  CHECK(result == 7);
  CHECK(calls == 3);
  calls = 0;
  CHECK(retry([&] {
          calls++;
          errno = EBADF;
          return -1;
        }) == -1);
  CHECK(calls == 1);
}

TEST_CASE("a pipe carries bytes one way") {
  const FdPair pipe = take(open_pipe());
  REQUIRE(::write(pipe.second.get(), "ab", 2) == 2);
  std::array<char, 4> bytes{};
  CHECK(::read(pipe.first.get(), bytes.data(), bytes.size()) == 2);
  CHECK(bytes[0] == 'a');
  CHECK(::read(pipe.first.get(), bytes.data(), bytes.size()) == -1);
  CHECK(errno == EAGAIN);
}

TEST_CASE("the flags of a descriptor are changed one by one") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  const int fd = pair.first.get();
  must(set_close_on_exec(fd, false));
  CHECK_FALSE(take(sys::is_close_on_exec(fd)));
  CHECK_FALSE(closes_on_exec(fd));
  CHECK(is_non_blocking(fd));
  must(set_non_blocking(fd, false));
  CHECK_FALSE(is_non_blocking(fd));
  must(set_close_on_exec(fd, true));
  CHECK(take(sys::is_close_on_exec(fd)));
  must(set_non_blocking(fd, true));
  CHECK(is_non_blocking(fd));
  CHECK(code_of(set_close_on_exec(-1, true)) == EBADF);
  CHECK(code_of(set_non_blocking(-1, true)) == EBADF);
  CHECK(code_of(sys::is_close_on_exec(-1)) == EBADF);
}

TEST_CASE("every option has a name that the kernel knows") {
  const UniqueFd stream = take(open_socket(AF_INET6, SOCK_STREAM));
  const UniqueFd local = take(open_socket(AF_UNIX, SOCK_STREAM));
  // What is told of the path wants a peer of its family.
  const UniqueFd datagrams = take(open_socket(AF_INET, SOCK_DGRAM));
  const UniqueFd datagrams6 = take(open_socket(AF_INET6, SOCK_DGRAM));
  must(connect_socket(datagrams.get(), take(SockAddr::from_literal("127.0.0.1", 9))));
  must(connect_socket(datagrams6.get(), take(SockAddr::from_literal("::1", 9))));
  for (uint8_t i = 0; i < static_cast<uint8_t>(Option::kCount); i++) {
    CAPTURE(i);
    const OptionName option = take(option_name(static_cast<Option>(i)));
    const auto is_known_to = [&](const UniqueFd& socket) {
      return get_option(socket.get(), option.level, option.name).ok();
    };
    CHECK((is_known_to(stream) || is_known_to(local) || is_known_to(datagrams) ||
           is_known_to(datagrams6)));
  }
}

TEST_CASE("the algorithm of congestion control is chosen by its name") {
  const UniqueFd socket = take(open_socket(AF_INET, SOCK_STREAM));
  must(set_congestion_control(socket.get(), "reno"));
  CHECK(take(congestion_control(socket.get())) == "reno");
  CHECK(code_of(set_congestion_control(socket.get(), "nosuch")) == ENOENT);
  const UniqueFd other = take(open_socket(AF_UNIX, SOCK_STREAM));
  CHECK(code_of(congestion_control(other.get())) == EOPNOTSUPP);
}

TEST_CASE("a TCP connection has figures, and nothing else has") {
  const FdPair pair = test::connect_tcp();
  const TcpFigures figures = take(tcp_figures(pair.first.get()));
  constexpr double kEstablished = 1;
  CHECK(figures[static_cast<size_t>(TcpFigure::kState)] == kEstablished);
  CHECK(figures[static_cast<size_t>(TcpFigure::kTotalRetransmits)] == 0);
  CHECK(figures[static_cast<size_t>(TcpFigure::kSendMss)] > 0);
  CHECK(figures[static_cast<size_t>(TcpFigure::kRtt)] < 1000);
  const UniqueFd other = take(open_socket(AF_UNIX, SOCK_STREAM));
  CHECK(code_of(tcp_figures(other.get())) == EOPNOTSUPP);
}

TEST_CASE("the peer of a Unix socket has credentials, a peer over TCP has none") {
  const FdPair pair = take(open_pair(SOCK_STREAM));
  const Credentials peer = take(peer_credentials(pair.first.get()));
  CHECK(peer.pid == ::getpid());
  CHECK(peer.uid == ::geteuid());
  CHECK(peer.gid == ::getegid());
  const FdPair tcp = test::connect_tcp();
  CHECK(code_of(peer_credentials(tcp.first.get())) == ENOTCONN);
  const UniqueFd alone = take(open_socket(AF_UNIX, SOCK_STREAM));
  CHECK(code_of(peer_credentials(alone.get())) == ENOTCONN);
}

TEST_CASE("a descriptor tells what it is") {
  const FdPair pair = take(open_pair(SOCK_SEQPACKET));
  const Identity messages = take(identify(pair.first.get()));
  CHECK(messages.family == AF_UNIX);
  CHECK(messages.type == SOCK_SEQPACKET);
  CHECK(messages.role == Role::kConnected);
  CHECK_FALSE(messages.is_tcp);

  const FdPair tcp = test::connect_tcp(AF_INET6);
  const Identity connected = take(identify(tcp.first.get()));
  CHECK(connected.family == AF_INET6);
  CHECK(connected.type == SOCK_STREAM);
  CHECK(connected.role == Role::kConnected);
  CHECK(connected.is_tcp);
  CHECK(connected.peer.size > 0);

  const test::Listener listener;
  CHECK(take(identify(listener.fd.get())).role == Role::kListening);
  const UniqueFd fresh = take(open_socket(AF_INET, SOCK_STREAM));
  CHECK(take(identify(fresh.get())).role == Role::kNew);
}

TEST_CASE("what carries datagrams, and what nothing, is told apart") {
  const UniqueFd datagrams = take(open_socket(AF_INET, SOCK_DGRAM));
  CHECK(take(identify(datagrams.get())).type == SOCK_DGRAM);
  const FdPair pair = take(open_pair(SOCK_DGRAM));
  CHECK(take(identify(pair.first.get())).type == SOCK_DGRAM);
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(code_of(identify(file.get())) == ENOTSOCK);
  CHECK(code_of(identify(-1)) == EBADF);
}

TEST_CASE("a peek tells what there is, and leaves it there") {
  const FdPair connection = test::connect_tcp();
  CHECK(peek(connection.first.get()) == -EAGAIN);
  REQUIRE(send(connection.second.get(), "x", 1) == 1);
  test::must(shutdown_socket(connection.second.get(), SHUT_WR));
  REQUIRE(wait_for(connection.first.get(), POLLIN, 10'000).ok());
  CHECK(peek(connection.first.get()) == 1);
  CHECK(test::drain(connection.first.get()) == 1);
  REQUIRE(wait_for(connection.first.get(), POLLIN, 10'000).ok());
  CHECK(peek(connection.first.get()) == 0);
  CHECK(peek(-1) == -EBADF);
}

TEST_CASE("a thread lowers its own priority, and that of no other") {
  // Of the calling thread, on Linux; a highest niceness stays where it is.
  const int before = ::getpriority(PRIO_PROCESS, 0);
  int lowered = before;
  std::thread([&lowered] {
    lower_thread_priority();
    lowered = ::getpriority(PRIO_PROCESS, 0);
  }).join();
  CHECK(lowered == std::min(before + 10, 19));
  CHECK(::getpriority(PRIO_PROCESS, 0) == before);
}

}  // namespace sock::sys
