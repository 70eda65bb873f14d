#include "net/listener.h"

#include <sys/resource.h>

#include <cerrno>
#include <vector>

#include "backends.h"
#include "support.h"

namespace sock::net {

using reactor::Kind;
using reactor::Source;
using sys::UniqueFd;
using test::code_of;
using test::Epoll;
using test::Kqueue;
using test::Loop;
using test::Poll;
using test::take;
namespace flag = reactor::flag;

namespace {

template <class Backend>
struct Server {
  Server() {
    test::Listener listener;
    address = listener.address;
    source = &loop.adopt(std::move(listener.fd), Kind::kListener);
  }

  Result<Accepted> accept(bool wait = true) { return net::accept(loop.reactor, *source, wait); }
  // A connection that the listener has in its queue.
  UniqueFd call() {
    UniqueFd client = take(sys::open_socket(AF_INET, SOCK_STREAM));
    (void)sys::connect_socket(client.get(), address).ok();
    REQUIRE(take(sys::wait_for(client.get(), POLLOUT, 5000)) == POLLOUT);
    return client;
  }

  Loop<Backend> loop;
  sys::SockAddr address;
  Source* source = nullptr;
};

// Leaves the process no descriptor to open.
class Exhaustion {
 public:
  Exhaustion() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const UniqueFd next(::dup(0));
    REQUIRE(next);
    const rlimit tight{static_cast<rlim_t>(next.get()), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  }
  ~Exhaustion() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  Exhaustion(const Exhaustion&) = delete;
  Exhaustion& operator=(const Exhaustion&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE_TEMPLATE("an accept that finds nobody registers, if it is to wait", Backend, Epoll,
                   Kqueue, Poll) {
  Server<Backend> server;
  CHECK(code_of(server.accept(false)) == EAGAIN);
  CHECK_FALSE(server.source->registered());
  CHECK(code_of(server.accept(true)) == EAGAIN);
  CHECK(server.source->registered());
  CHECK_FALSE(server.source->has(flag::kReadable));
}

TEST_CASE_TEMPLATE("a caller is announced and accepted, with its address", Backend, Epoll, Kqueue,
                   Poll) {
  Server<Backend> server;
  REQUIRE(code_of(server.accept()) == EAGAIN);
  const UniqueFd client = server.call();
  server.loop.turn_until(*server.source, flag::kReadable);
  const Accepted accepted = take(server.accept());
  CHECK(accepted.peer.port() == take(sys::local_address(client.get())).port());
  CHECK(sys::send(accepted.fd.get(), "x", 1) == 1);
}

TEST_CASE_TEMPLATE("callers that were left in the queue are announced again", Backend, Epoll,
                   Kqueue, Poll) {
  Server<Backend> server;
  REQUIRE(code_of(server.accept()) == EAGAIN);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 3; i++) clients.push_back(server.call());
  for (int i = 0; i < 3; i++) {
    server.source->clear(flag::kReadable);
    server.loop.turn_until(*server.source, flag::kReadable);
    CHECK(code_of(server.accept()) == 0);
  }
  CHECK(code_of(server.accept()) == EAGAIN);
  CHECK(server.loop.stays_silent());
}

TEST_CASE_TEMPLATE("out of descriptors the listener is silent, and serves again when some are free",
                   Backend, Epoll, Kqueue, Poll) {
  CHECK(test::holds_in_child([] {
    Server<Backend> server;
    REQUIRE(code_of(server.accept()) == EAGAIN);
    const UniqueFd client = server.call();
    server.loop.turn_until(*server.source, flag::kReadable);
    {
      const Exhaustion exhaustion;
      const int code = code_of(server.accept());
      REQUIRE(code == EMFILE);
      REQUIRE(is_out_of_resources(code));
      // A registered one would be reported without end: its caller still waits.
      REQUIRE_FALSE(server.source->registered());
      REQUIRE(server.loop.stays_silent());
    }
    REQUIRE(code_of(server.accept()) == 0);
    REQUIRE(code_of(server.accept()) == EAGAIN);
    REQUIRE(server.source->registered());
    return true;
  }));
}

TEST_CASE("only what can pass by itself counts as out of resources") {
  for (const int code : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) CHECK(is_out_of_resources(code));
  for (const int code : {EAGAIN, EBADF, EINVAL, ENOTSOCK}) CHECK_FALSE(is_out_of_resources(code));
}

TEST_CASE_TEMPLATE("accepting on a socket that does not listen is an error", Backend, Epoll, Kqueue,
                   Poll) {
  Loop<Backend> loop;
  sys::FdPair connection = test::connect_tcp();
  Source& source = loop.adopt(std::move(connection.first), Kind::kListener);
  CHECK(code_of(accept(loop.reactor, source, true)) == EINVAL);
  CHECK_FALSE(source.registered());
}

}  // namespace sock::net
