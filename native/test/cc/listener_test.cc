#include "net/listener.h"

#include <sys/resource.h>

#include <cerrno>
#include <vector>

#include "backends.h"
#include "base/counters.h"
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

  Result<Accepted> accept(bool wait = true, Guard* guard = nullptr) {
    return net::accept(loop.reactor, *source, Report::kNone, wait, guard);
  }
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

// Counts whom it is asked about, and turns the first of them away.
class Bouncer final : public Guard {
 public:
  explicit Bouncer(int refusals) : refusals_(refusals) {}
  bool admits(const sys::SockAddr& peer) override {
    asked.push_back(peer.port());
    return static_cast<int>(asked.size()) > refusals_;
  }

  std::vector<uint16_t> asked;

 private:
  int refusals_;
};

uint16_t port_of(const UniqueFd& socket) {
  return take(sys::local_address(socket.get())).port();
}

// The errno with which a connection ends, 0 for an orderly end.
int end_of(const UniqueFd& client) {
  REQUIRE((take(sys::wait_for(client.get(), POLLIN, 5000)) & POLLIN) != 0);
  char byte = 0;
  return static_cast<int>(-sys::receive(client.get(), &byte, 1));
}

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

TEST_CASE_TEMPLATE("an accept that a late report led to finds nobody", Backend, Epoll, Kqueue,
                   Poll) {
  Server<Backend> server;
  REQUIRE(code_of(server.accept()) == EAGAIN);
  server.source->set(flag::kReadable);
  const Result<Accepted> accepted =
      net::accept(server.loop.reactor, *server.source, Report::kConnection, true);
  CHECK(code_of(accepted) == EAGAIN);
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

TEST_CASE_TEMPLATE("whom a guard turns away is reset, and the next one is accepted at once",
                   Backend, Epoll, Kqueue, Poll) {
  Server<Backend> server;
  REQUIRE(code_of(server.accept()) == EAGAIN);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 4; i++) clients.push_back(server.call());
  server.loop.turn_until(*server.source, flag::kReadable);
  Bouncer guard(2);
  const CounterValues before = sum_of_counters();
  const Accepted accepted = take(server.accept(true, &guard));
  CHECK(accepted.peer.port() == port_of(clients[2]));
  CHECK(guard.asked ==
        std::vector<uint16_t>{port_of(clients[0]), port_of(clients[1]), port_of(clients[2])});
  CHECK(end_of(clients[0]) == ECONNRESET);
  CHECK(end_of(clients[1]) == ECONNRESET);
  const CounterValues after = sum_of_counters();
  const auto counted = [&](Counter counter) {
    return after[static_cast<size_t>(counter)] - before[static_cast<size_t>(counter)];
  };
  CHECK(counted(Counter::kAccepts) == 3);
  CHECK(counted(Counter::kAcceptRejects) == 2);
  CHECK(counted(Counter::kCloses) == 2);
  // Nobody has decided about the fourth, who is announced as ever.
  server.source->clear(flag::kReadable);
  server.loop.turn_until(*server.source, flag::kReadable);
}

TEST_CASE_TEMPLATE("a queue of nothing but refusals is emptied, and then waited for", Backend,
                   Epoll, Kqueue, Poll) {
  Server<Backend> server;
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; i++) clients.push_back(server.call());
  Bouncer guard(1000);
  // Not registered yet: it has to find out, and to register.
  CHECK(code_of(server.accept(true, &guard)) == EAGAIN);
  CHECK(guard.asked.size() == 5);
  CHECK(server.source->registered());
  CHECK_FALSE(server.source->has(flag::kReadable));
  CHECK(server.loop.stays_silent());
  const UniqueFd late = server.call();
  server.loop.turn_until(*server.source, flag::kReadable);
  CHECK(code_of(server.accept(true)) == 0);
}

TEST_CASE_TEMPLATE("a flood of refusals leaves others their turn, and is announced again", Backend,
                   Epoll, Kqueue, Poll) {
  Server<Backend> server;
  std::vector<UniqueFd> clients;
  for (int i = 0; i < kRefusalsMax + 3; i++) clients.push_back(server.call());
  Bouncer guard(1000);
  CHECK(code_of(server.accept(true, &guard)) == EAGAIN);
  CHECK(guard.asked.size() == kRefusalsMax);
  CHECK(server.source->registered());
  CHECK(server.source->has(flag::kReadable));
  server.source->clear(flag::kReadable);
  server.loop.turn_until(*server.source, flag::kReadable);
  CHECK(code_of(server.accept(true, &guard)) == EAGAIN);
  CHECK(guard.asked.size() == kRefusalsMax + 3);
  CHECK(server.loop.stays_silent());
}

TEST_CASE("a guard that closes the listener ends the accepting") {
  struct Closer final : Guard {
    explicit Closer(Server<Epoll>& it) : server(it) {}
    bool admits(const sys::SockAddr&) override {
      server.loop.reactor.close(*server.source);
      return false;
    }
    Server<Epoll>& server;
  };
  Server<Epoll> server;
  const UniqueFd first = server.call();
  const UniqueFd second = server.call();
  Closer guard(server);
  CHECK(code_of(server.accept(true, &guard)) == EBADF);
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
  CHECK(code_of(accept(loop.reactor, source, Report::kConnection, true)) == EINVAL);
  CHECK_FALSE(source.registered());
}

}  // namespace sock::net
