#include "net/relay.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>
#include <utility>

#include "backends.h"
#include "support.h"

namespace sock::net {

using reactor::Kind;
using reactor::Source;
using sys::FdPair;
using sys::IoResult;
using test::take;
using Progress = Relay::Progress;

namespace {

std::string random_text(size_t size) {
  std::mt19937_64 random(test::test_seed());
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

// Two connections; the relay has one end of each, and the test the others.
template <class Backend>
struct Joined {
  explicit Joined(Kind kind) {
    for (size_t i = 0; i < 2; i++) {
      FdPair ends = kind == Kind::kTcp ? test::connect_tcp() : take(sys::open_pair(SOCK_STREAM));
      outer[i] = std::move(ends.second);
      inner[i] = &loop.adopt(std::move(ends.first), kind);
    }
    relay = Relay(inner[0]->token, inner[1]->token);
    relay.open(0);
    relay.open(1);
  }

  Progress step() { return relay.step(loop.reactor); }

  // Puts the text in at one end, takes it out at the other.
  std::string carry(size_t from, const std::string& text) {
    std::string got;
    size_t put = 0;
    char block[65536];
    const double deadline_ms = now_ms() + 10'000;
    while (got.size() < text.size()) {
      REQUIRE(now_ms() < deadline_ms);
      const IoResult sent = sys::send(outer[from].get(), text.data() + put, text.size() - put);
      if (sent > 0) put += static_cast<size_t>(sent);
      REQUIRE(step() <= Progress::kMore);
      const IoResult count = sys::receive(outer[1 - from].get(), block, sizeof(block));
      if (count > 0) got.append(block, static_cast<size_t>(count));
      loop.turn(0);
    }
    return got;
  }

  Progress step_to_end() {
    const double deadline_ms = now_ms() + 10'000;
    for (;;) {
      const Progress progress = step();
      if (progress > Progress::kMore) return progress;
      REQUIRE(now_ms() < deadline_ms);
      loop.turn(progress == Progress::kMore ? 0 : 10);
    }
  }

  test::Loop<Backend> loop;
  sys::UniqueFd outer[2];
  Source* inner[2];
  Relay relay{reactor::Token{}, reactor::Token{}};
};

}  // namespace

TEST_CASE_TEMPLATE("a relay carries both ways, and ends each direction by itself", Backend,
                   test::Epoll, test::Poll) {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Joined<Backend> joined(kind);
    const std::string text = random_text(2'000'003);
    CHECK((joined.carry(0, text) == text));
    CHECK((joined.carry(1, text) == text));
    ::shutdown(joined.outer[0].get(), SHUT_WR);
    char byte = 0;
    const double deadline_ms = now_ms() + 10'000;
    while (sys::receive(joined.outer[1].get(), &byte, 1) != 0) {
      REQUIRE(now_ms() < deadline_ms);
      CHECK(joined.step() <= Progress::kMore);
      joined.loop.turn(1);
    }
    CHECK(joined.carry(1, "still") == "still");
    ::shutdown(joined.outer[1].get(), SHUT_WR);
    CHECK(joined.step_to_end() == Progress::kDone);
    CHECK(joined.relay.moved(0) == 2'000'003);
    CHECK(joined.relay.moved(1) == 2'000'008);
  }
}

TEST_CASE("a direction moves nothing before it is opened, and the other meanwhile") {
  Joined<test::Epoll> joined(Kind::kTcp);
  joined.relay = Relay(joined.inner[0]->token, joined.inner[1]->token);
  joined.relay.open(1);
  CHECK(joined.carry(1, "open") == "open");
  REQUIRE(sys::send(joined.outer[0].get(), "shut", 4) == 4);
  joined.loop.turn(100);
  CHECK(joined.step() == Progress::kWaiting);
  CHECK(joined.relay.moved(0) == 0);
  joined.relay.open(0);
  CHECK(joined.carry(0, "") == "");
  CHECK(joined.step() == Progress::kWaiting);
  CHECK(joined.relay.moved(0) == 4);
}

TEST_CASE("a relay that nobody reads from takes in no more than it can hold") {
  Joined<test::Epoll> joined(Kind::kStream);
  const std::string text = random_text(16'000'000);
  size_t put = 0;
  for (int idle = 0; idle < 50; idle++) {
    const IoResult sent = sys::send(joined.outer[0].get(), text.data() + put, text.size() - put);
    if (sent > 0) {
      put += static_cast<size_t>(sent);
      idle = 0;
    }
    CHECK(joined.step() <= Progress::kMore);
    joined.loop.turn(0);
  }
  CHECK(put < 4'000'000);
  CHECK(joined.step() == Progress::kWaiting);
}

TEST_CASE("one step moves no more than the share of a turn, and says that there is more") {
  Joined<test::Epoll> joined(Kind::kTcp);
  REQUIRE(test::fill(joined.outer[0].get()) > 2 * Relay::kShare);
  CHECK(joined.step() == Progress::kMore);
  CHECK(joined.relay.moved(0) >= Relay::kShare);
  CHECK(joined.relay.moved(0) < Relay::kShare + Relay::kPipeSize + Relay::kBlockSize);
}

TEST_CASE("a relay without descriptors for pipes carries all the same") {
  for (const Kind kind : {Kind::kTcp, Kind::kStream}) {
    Joined<test::Epoll> joined(kind);
    CHECK(test::holds_in_child([&] {
      // The lowest number that is free is the limit: no more can be opened.
      const int next = ::dup(0);
      ::close(next);
      const rlimit none{static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
      if (::setrlimit(RLIMIT_NOFILE, &none) != 0 || ::dup(0) >= 0) return false;
      const std::string text = random_text(1'000'003);
      return joined.carry(0, text) == text;
    }));
  }
}

TEST_CASE("a relay fails when a socket is reset, or closed under it") {
  SUBCASE("reset") {
    Joined<test::Epoll> joined(Kind::kTcp);
    const linger at_once{1, 0};
    ::setsockopt(joined.outer[1].get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    joined.outer[1].reset();
    CHECK(joined.step_to_end() == Progress::kFailed);
    CHECK(joined.relay.error().code == ECONNRESET);
  }
  SUBCASE("closed here") {
    Joined<test::Epoll> joined(Kind::kTcp);
    joined.loop.reactor.close(*joined.inner[1]);
    CHECK(joined.step() == Progress::kFailed);
    CHECK(joined.relay.error().code == EBADF);
  }
}

}  // namespace sock::net
