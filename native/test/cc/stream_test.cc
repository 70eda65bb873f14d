#include "net/stream.h"

#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "backends.h"
#include "support.h"

namespace sock::net {

using reactor::Kind;
using reactor::Source;
using sys::FdPair;
using sys::IoResult;
using sys::UniqueFd;
using test::Epoll;
using test::Kqueue;
using test::Loop;
using test::must;
using test::Poll;
using test::take;
namespace flag = reactor::flag;

namespace {

// One end under the loop, the other in the test's hands.
template <class Backend>
struct Connected {
  explicit Connected(Kind kind) {
    FdPair ends = kind == Kind::kTcp ? test::connect_tcp() : take(sys::open_pair(SOCK_STREAM));
    peer = std::move(ends.second);
    source = &loop.adopt(std::move(ends.first), kind);
  }

  IoResult receive(size_t size = 4096, bool wait = true) {
    buffer.resize(size);
    return net::receive(loop.reactor, *source, buffer.data(), size, wait);
  }
  IoResult send(const std::string& data, bool wait = true) {
    return net::send(loop.reactor, *source, data.data(), data.size(), wait);
  }
  void from_peer(const std::string& data) {
    REQUIRE(sys::send(peer.get(), data.data(), data.size()) == static_cast<IoResult>(data.size()));
  }
  bool knows_more() const { return source->has(flag::kReadable); }

  // Registered, and known to be empty.
  void settle() {
    REQUIRE(receive() == -EAGAIN);
    REQUIRE(source->registered());
    loop.turn();
    if (knows_more()) REQUIRE(receive() == -EAGAIN);
    REQUIRE_FALSE(knows_more());
  }

  Loop<Backend> loop;
  UniqueFd peer;
  Source* source = nullptr;
  std::vector<char> buffer;
};

// Sends the byte together with a descriptor.
void send_with_descriptor(int fd, char byte, int passed) {
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &passed, sizeof(int));
  REQUIRE(::sendmsg(fd, &message, 0) == 1);
}

template <class Backend>
Source& unconnected(Loop<Backend>& loop, int family) {
  return loop.adopt(take(sys::open_socket(family, SOCK_STREAM)),
                    family == AF_UNIX ? Kind::kStream : Kind::kTcp);
}

// An address where nobody listens, kept so by the socket that holds it.
struct Deserted {
  Deserted() : fd(take(sys::open_socket(AF_INET, SOCK_STREAM))) {
    must(sys::bind_socket(fd.get(), take(sys::SockAddr::from_literal("127.0.0.1", 0))));
    address = take(sys::local_address(fd.get()));
  }
  UniqueFd fd;
  sys::SockAddr address;
};

}  // namespace

TEST_CASE_TEMPLATE("a receive that finds nothing registers, if it is to wait", Backend, Epoll,
                   Kqueue, Poll) {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Connected<Backend> end(kind);
    CHECK(end.receive(16, false) == -EAGAIN);
    CHECK_FALSE(end.source->registered());
    CHECK(end.knows_more());
    CHECK(end.receive(16, true) == -EAGAIN);
    CHECK(end.source->registered());
    CHECK_FALSE(end.knows_more());
  }
}

TEST_CASE_TEMPLATE("a receive that finds bytes does not register", Backend, Epoll, Kqueue, Poll) {
  Connected<Backend> end(Kind::kTcp);
  end.from_peer("abc");
  REQUIRE(take(sys::wait_for(end.source->fd.get(), POLLIN, 5000)) == POLLIN);
  CHECK(end.receive() == 3);
  CHECK_FALSE(end.source->registered());
}

TEST_CASE_TEMPLATE("bytes that come while a receive waits are announced", Backend, Epoll, Kqueue,
                   Poll) {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Connected<Backend> end(kind);
    end.settle();
    end.from_peer("abc");
    end.loop.turn_until(*end.source, flag::kReadable);
    CHECK(end.receive() == 3);
    CHECK(std::string(end.buffer.data(), 3) == "abc");
  }
}

TEST_CASE_TEMPLATE("a short read of TCP proves it drained, a full one does not", Backend, Epoll,
                   Poll) {
  Connected<Backend> end(Kind::kTcp);
  end.settle();
  end.from_peer("abcdef");
  end.loop.turn_until(*end.source, flag::kReadable);
  CHECK(end.receive(4) == 4);
  CHECK(end.knows_more());
  CHECK(end.receive(4) == 2);
  CHECK_FALSE(end.knows_more());
}

TEST_CASE_TEMPLATE("after a short read the next bytes are announced", Backend, Epoll, Poll) {
  Connected<Backend> end(Kind::kTcp);
  end.settle();
  for (int round = 0; round < 5; round++) {
    end.from_peer("abc");
    end.loop.turn_until(*end.source, flag::kReadable);
    REQUIRE(end.receive() == 3);
    REQUIRE_FALSE(end.knows_more());
  }
}

TEST_CASE("a short read of TCP proves nothing where urgent data is not seen") {
  Connected<Kqueue> end(Kind::kTcp);
  end.settle();
  for (int round = 0; round < 3; round++) {
    end.from_peer("abc");
    end.loop.turn_until(*end.source, flag::kReadable);
    REQUIRE(end.receive() == 3);
    CHECK(end.knows_more());
    CHECK(end.receive() == -EAGAIN);
    CHECK_FALSE(end.knows_more());
  }
}

TEST_CASE_TEMPLATE("a short read of a Unix stream proves nothing", Backend, Epoll, Kqueue, Poll) {
  Connected<Backend> end(Kind::kStream);
  end.settle();
  end.from_peer("abc");
  end.loop.turn_until(*end.source, flag::kReadable);
  CHECK(end.receive() == 3);
  CHECK(end.knows_more());
  CHECK(end.receive() == -EAGAIN);
  CHECK_FALSE(end.knows_more());
}

TEST_CASE_TEMPLATE("bytes behind a passed descriptor are not lost", Backend, Epoll, Kqueue, Poll) {
  Connected<Backend> end(Kind::kStream);
  end.settle();
  send_with_descriptor(end.peer.get(), 'a', end.peer.get());
  end.from_peer("bc");
  end.loop.turn_until(*end.source, flag::kReadable);
  CHECK(end.receive() == 1);
  REQUIRE(end.knows_more());
  CHECK(end.receive() == 2);
  CHECK(end.receive() == -EAGAIN);
}

TEST_CASE_TEMPLATE("bytes and the end in one event: both are seen", Backend, Epoll, Kqueue, Poll) {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Connected<Backend> end(kind);
    end.settle();
    end.from_peer("abc");
    end.peer.reset();
    // Until both have arrived, so that one event tells of them.
    REQUIRE((take(sys::wait_for(end.source->fd.get(), POLLRDHUP, 5000)) & POLLRDHUP) != 0);
    end.loop.turn_until(*end.source, flag::kReadable);
    CHECK(end.receive() == 3);
    REQUIRE(end.knows_more());
    CHECK(end.receive() == 0);
  }
}

TEST_CASE_TEMPLATE("the end after the bytes were read is announced", Backend, Epoll, Poll) {
  Connected<Backend> end(Kind::kTcp);
  end.settle();
  end.from_peer("abc");
  end.loop.turn_until(*end.source, flag::kReadable);
  REQUIRE(end.receive() == 3);
  REQUIRE_FALSE(end.knows_more());
  must(sys::shutdown_socket(end.peer.get(), SHUT_WR));
  end.loop.turn_until(*end.source, flag::kReadable);
  CHECK(end.receive() == 0);
}

TEST_CASE_TEMPLATE("bytes behind the urgent mark are not lost", Backend, Epoll, Kqueue, Poll) {
  Connected<Backend> end(Kind::kTcp);
  end.settle();
  end.from_peer("abc");
  REQUIRE(::send(end.peer.get(), "!", 1, MSG_OOB) == 1);
  end.from_peer("def");
  REQUIRE((take(sys::wait_for(end.source->fd.get(), POLLPRI, 5000)) & POLLPRI) != 0);
  std::string received;
  while (received.size() < 6) {
    end.loop.turn_until(*end.source, flag::kReadable);
    const IoResult count = end.receive();
    if (count > 0) received.append(end.buffer.data(), static_cast<size_t>(count));
  }
  CHECK(received == "abcdef");
}

TEST_CASE_TEMPLATE("a reset is the error of the next receive", Backend, Epoll, Kqueue, Poll) {
  Connected<Backend> end(Kind::kTcp);
  end.settle();
  const linger now{1, 0};
  REQUIRE(::setsockopt(end.peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
  end.peer.reset();
  end.loop.turn_until(*end.source, flag::kReadable);
  CHECK(end.receive() == -ECONNRESET);
}

TEST_CASE_TEMPLATE("a send that is taken whole asks for nothing", Backend, Epoll, Kqueue, Poll) {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Connected<Backend> end(kind);
    CHECK(end.send("abc") == 3);
    CHECK_FALSE(end.source->registered());
    CHECK(end.source->has(flag::kWritable));
  }
}

TEST_CASE_TEMPLATE("a send that is cut short waits for room, and goes on when there is", Backend,
                   Epoll, Kqueue, Poll) {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Connected<Backend> end(kind);
    const std::string data(size_t{12} << 20, 'd');
    size_t sent = 0;
    size_t received = 0;
    int wait_count = 0;
    while (sent < data.size()) {
      const IoResult count =
          net::send(end.loop.reactor, *end.source, &data[sent], data.size() - sent, true);
      if (count > 0) sent += static_cast<size_t>(count);
      if (count < 0) REQUIRE(count == -EAGAIN);
      if (end.source->has(flag::kWritable)) continue;
      wait_count++;
      // Room may take several reads: they also free what is still under way.
      const double deadline_ms = now_ms() + 10'000;
      while (!end.source->has(flag::kWritable)) {
        REQUIRE(now_ms() < deadline_ms);
        received += test::drain(end.peer.get());
        end.loop.turn(1);
      }
    }
    CHECK(wait_count > 0);
    while (received < sent) {
      REQUIRE(take(sys::wait_for(end.peer.get(), POLLIN, 5000)) == POLLIN);
      received += test::drain(end.peer.get());
    }
    CHECK(received == sent);
  }
}

TEST_CASE_TEMPLATE("a send into a full socket without waiting registers nothing", Backend, Epoll,
                   Kqueue, Poll) {
  Connected<Backend> end(Kind::kStream);
  test::fill(end.source->fd.get());
  CHECK(end.send("x", false) == -EAGAIN);
  CHECK_FALSE(end.source->registered());
  CHECK(end.source->has(flag::kWritable));
}

TEST_CASE_TEMPLATE("a vector leaves as one, and fills places in order", Backend, Epoll, Poll) {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Connected<Backend> end(kind);
    end.settle();
    std::string first = "abc";
    std::string second = "de";
    std::array<iovec, 2> parts{iovec{first.data(), 3}, iovec{second.data(), 2}};
    CHECK(net::send_vector(end.loop.reactor, *end.source, parts, true) == 5);
    std::array<char, 16> received{};
    REQUIRE(take(sys::wait_for(end.peer.get(), POLLIN, 5000)) == POLLIN);
    CHECK(sys::receive(end.peer.get(), received.data(), received.size()) == 5);
    CHECK(std::string(received.data()) == "abcde");
    end.from_peer("1234");
    end.loop.turn_until(*end.source, flag::kReadable);
    CHECK(net::receive_vector(end.loop.reactor, *end.source, parts, true) == 4);
    CHECK(first + second == "1234e");
    // Short of what was asked for, which proves a TCP connection drained and nothing else.
    CHECK(end.knows_more() == (kind == Kind::kStream));
  }
}

TEST_CASE_TEMPLATE("a vector that is cut short waits for room", Backend, Epoll, Kqueue, Poll) {
  Connected<Backend> end(Kind::kStream);
  std::string part(size_t{8} << 20, 'd');
  std::array<iovec, 2> parts{iovec{part.data(), part.size()}, iovec{part.data(), part.size()}};
  const IoResult sent = net::send_vector(end.loop.reactor, *end.source, parts, true);
  CHECK(sent > 0);
  CHECK(sent < static_cast<IoResult>(sys::size_of(parts)));
  CHECK_FALSE(end.source->has(flag::kWritable));
  CHECK(test::drain(end.peer.get()) > 0);
  end.loop.turn_until(*end.source, flag::kWritable);
}

TEST_CASE_TEMPLATE("a vector to a peer that is gone is an error, not a signal", Backend, Epoll,
                   Kqueue, Poll) {
  Connected<Backend> end(Kind::kStream);
  end.peer.reset();
  std::string part = "x";
  std::array<iovec, 1> parts{iovec{part.data(), 1}};
  CHECK(net::send_vector(end.loop.reactor, *end.source, parts, true) == -EPIPE);
  CHECK_FALSE(end.source->registered());
}

TEST_CASE_TEMPLATE("a send to a peer that is gone is an error, not a wait", Backend, Epoll, Kqueue,
                   Poll) {
  Connected<Backend> end(Kind::kStream);
  end.peer.reset();
  CHECK(end.send("x") == -EPIPE);
  CHECK_FALSE(end.source->registered());
}

TEST_CASE_TEMPLATE("a connection that is taken becomes writable without error", Backend, Epoll,
                   Kqueue, Poll) {
  for (const int family : {AF_INET, AF_INET6}) {
    const test::Listener listener(family);
    Loop<Backend> loop;
    Source& source = unconnected(loop, family);
    const int started = connect(loop.reactor, source, listener.address, true);
    if (started != 0) {
      REQUIRE(started == -EINPROGRESS);
      CHECK(source.registered());
      loop.turn_until(source, flag::kWritable);
    }
    CHECK(connect_outcome(source) == 0);
  }
}

TEST_CASE_TEMPLATE("a connection that is refused says so", Backend, Epoll, Kqueue, Poll) {
  const Deserted deserted;
  Loop<Backend> loop;
  Source& source = unconnected(loop, AF_INET);
  int code = connect(loop.reactor, source, deserted.address, true);
  if (code == -EINPROGRESS) {
    loop.turn_until(source, flag::kWritable);
    code = connect_outcome(source);
  }
  CHECK(code == -ECONNREFUSED);
}

TEST_CASE_TEMPLATE("a connection without waiting registers nothing", Backend, Epoll, Kqueue, Poll) {
  const test::Listener listener;
  Loop<Backend> loop;
  Source& source = unconnected(loop, AF_INET);
  const int started = connect(loop.reactor, source, listener.address, false);
  CHECK((started == 0 || started == -EINPROGRESS));
  CHECK_FALSE(source.registered());
  REQUIRE(take(sys::wait_for(source.fd.get(), POLLOUT, 5000)) == POLLOUT);
  CHECK(connect_outcome(source) == 0);
}

TEST_CASE_TEMPLATE("a connection under way is neither made nor failed", Backend, Epoll, Kqueue,
                   Poll) {
  // A listener whose queue is full drops further requests, so they stay under way.
  const UniqueFd listener = take(sys::open_socket(AF_INET, SOCK_STREAM));
  must(sys::bind_socket(listener.get(), take(sys::SockAddr::from_literal("127.0.0.1", 0))));
  must(sys::listen_socket(listener.get(), 0));
  const sys::SockAddr address = take(sys::local_address(listener.get()));
  const UniqueFd first = take(sys::open_socket(AF_INET, SOCK_STREAM));
  (void)sys::connect_socket(first.get(), address).ok();
  REQUIRE(take(sys::wait_for(listener.get(), POLLIN, 5000)) == POLLIN);

  Loop<Backend> loop;
  Source& source = unconnected(loop, AF_INET);
  CHECK(connect(loop.reactor, source, address, true) == -EINPROGRESS);
  CHECK_FALSE(source.has(flag::kWritable));
  CHECK(loop.stays_silent());
  CHECK(connect_outcome(source) == -EINPROGRESS);
}

TEST_CASE_TEMPLATE("a Unix connection is made at once, or fails at once", Backend, Epoll, Kqueue,
                   Poll) {
  const test::TemporaryFolder folder;
  const sys::SockAddr address = take(sys::SockAddr::from_path(folder.file("socket")));
  Loop<Backend> loop;
  CHECK(connect(loop.reactor, unconnected(loop, AF_UNIX), address, true) == -ENOENT);
  const UniqueFd listener = take(sys::open_socket(AF_UNIX, SOCK_STREAM));
  must(sys::bind_socket(listener.get(), address));
  CHECK(connect(loop.reactor, unconnected(loop, AF_UNIX), address, true) == -ECONNREFUSED);
  must(sys::listen_socket(listener.get(), 0));
  CHECK(connect(loop.reactor, unconnected(loop, AF_UNIX), address, true) == 0);
  // A full queue: there is nothing to wait for, so the caller has to try again.
  Source& late = unconnected(loop, AF_UNIX);
  CHECK(connect(loop.reactor, late, address, true) == -EAGAIN);
  CHECK_FALSE(late.registered());
}

}  // namespace sock::net
