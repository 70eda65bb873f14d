// What ring.h promises, asked of the kernel that is here.
#include "reactor/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "support.h"

namespace sock::reactor {

using sys::FdPair;
using test::must;
using test::take;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Seen {
  int32_t result;
  bool more;
  std::string text;
};

// A ring, and what its requests have brought, by key.
struct Fixture {
  explicit Fixture(RingConfig config = {}) : ring(take(make_ring(config))) {}

  void collect() {
    must(ring->submit(true));
    Completion completion;
    while (ring->take(completion)) {
      seen[completion.key].push_back(
          Seen{completion.result, completion.more, text_of(completion.bytes)});
    }
  }

  // Waits on the eventfd, as an event loop does, until so many completions of the key were seen.
  void wait_for(uint32_t key, size_t count) {
    const double deadline_ms = now_ms() + 10'000;
    collect();
    while (seen[key].size() < count) {
      REQUIRE(now_ms() < deadline_ms);
      if (!ring->is_due()) take(sys::wait_for(ring->event_fd(), POLLIN, 100));
      uint64_t signals = 0;
      (void)!::read(ring->event_fd(), &signals, sizeof(signals));
      collect();
    }
  }

  const Seen& last_of(uint32_t key) { return seen[key].back(); }

  std::unique_ptr<Ring> ring;
  std::map<uint32_t, std::vector<Seen>> seen;
};

// Whether this system lets us have a ring; where peers are required, it must.
bool has_ring() {
  static const int code = test::code_of(make_ring({}));
  if (code == 0) return true;
  REQUIRE_MESSAGE(std::getenv("SOCK_REQUIRE_PEERS") == nullptr, std::strerror(code));
  MESSAGE("skipped: no io_uring here: ", std::string(std::strerror(code)));
  return false;
}

}  // namespace

TEST_CASE("a ring receives and sends") {
  if (!has_ring()) return;
  Fixture fixture;
  FdPair pair = test::connect_tcp();
  must(fixture.ring->receive(0, pair.second.get(), 100, false));
  must(fixture.ring->send(1, pair.first.get(), bytes_of("hello")));
  CHECK(fixture.ring->pending() == 2);
  fixture.wait_for(0, 1);
  fixture.wait_for(1, 1);
  CHECK(fixture.last_of(0).text == "hello");
  CHECK(fixture.last_of(1).result == 5);
  CHECK_FALSE(fixture.last_of(0).more);
  CHECK(fixture.ring->pending() == 0);
}

TEST_CASE("what is sent was copied when it was queued") {
  if (!has_ring()) return;
  Fixture fixture;
  FdPair pair = test::connect_tcp();
  std::string text = "before";
  must(fixture.ring->send(0, pair.first.get(), bytes_of(text)));
  text = "after!";
  must(fixture.ring->receive(1, pair.second.get(), 100, false));
  fixture.wait_for(1, 1);
  CHECK(fixture.last_of(1).text == "before");
}

TEST_CASE("a receive takes no more than it was asked for") {
  if (!has_ring()) return;
  Fixture fixture;
  FdPair pair = test::connect_tcp();
  REQUIRE(sys::send(pair.first.get(), "abcdef", 6) == 6);
  must(fixture.ring->receive(0, pair.second.get(), 4, false));
  fixture.wait_for(0, 1);
  CHECK(fixture.last_of(0).text == "abcd");
  must(fixture.ring->receive(0, pair.second.get(), 4, false));
  fixture.wait_for(0, 2);
  CHECK(fixture.last_of(0).text == "ef");
}

TEST_CASE("a receive that goes on brings everything, and then the end") {
  if (!has_ring()) return;
  Fixture fixture;
  FdPair pair = test::connect_tcp();
  must(fixture.ring->receive(3, pair.second.get(), 0, true));
  std::string received;
  size_t taken = 0;
  for (const std::string_view text : {"one", "two", "three"}) {
    REQUIRE(sys::send(pair.first.get(), text.data(), text.size()) > 0);
    fixture.wait_for(3, taken + 1);
    for (; taken < fixture.seen[3].size(); taken++) {
      CHECK(fixture.seen[3][taken].more);
      received += fixture.seen[3][taken].text;
    }
  }
  CHECK(received == "onetwothree");
  pair.first.reset();
  fixture.wait_for(3, taken + 1);
  CHECK(fixture.last_of(3).result == 0);
  CHECK_FALSE(fixture.last_of(3).more);
}

TEST_CASE("more comes at once than there are buffers, and nothing is lost") {
  if (!has_ring()) return;
  RingConfig config;
  config.buffer_size = 16;
  Fixture fixture(config);
  FdPair pair = test::connect_tcp();
  std::string sent;
  for (int i = 0; sent.size() < 40'000; i++) sent += std::to_string(i) + ",";
  REQUIRE(sys::send(pair.first.get(), sent.data(), sent.size()) ==
          static_cast<int64_t>(sent.size()));
  must(fixture.ring->receive(0, pair.second.get(), 0, true));
  std::string received;
  size_t taken = 0;
  while (received.size() < sent.size()) {
    fixture.wait_for(0, taken + 1);
    for (; taken < fixture.seen[0].size(); taken++) {
      REQUIRE(fixture.seen[0][taken].more);
      received += fixture.seen[0][taken].text;
    }
  }
  CHECK(received == sent);
}

TEST_CASE("more requests are queued than the ring has entries") {
  if (!has_ring()) return;
  RingConfig config;
  config.entries = 4;
  Fixture fixture(config);
  std::vector<FdPair> pairs;
  for (uint32_t i = 0; i < 100; i++) {
    pairs.push_back(test::connect_tcp());
    must(fixture.ring->receive(2 * i, pairs[i].second.get(), 100, false));
    must(fixture.ring->send(2 * i + 1, pairs[i].first.get(), bytes_of(std::to_string(i))));
  }
  for (uint32_t i = 0; i < 100; i++) {
    fixture.wait_for(2 * i, 1);
    fixture.wait_for(2 * i + 1, 1);
    CHECK(fixture.last_of(2 * i).text == std::to_string(i));
  }
  CHECK(fixture.ring->pending() == 0);
}

TEST_CASE("an accept goes on, and what it brings is close-on-exec and non-blocking") {
  if (!has_ring()) return;
  Fixture fixture;
  test::Listener listener;
  must(fixture.ring->accept(9, listener.fd.get()));
  std::vector<sys::UniqueFd> ends;
  for (size_t i = 0; i < 3; i++) {
    ends.push_back(take(sys::open_socket(AF_INET, SOCK_STREAM)));
    (void)sys::connect_socket(ends.back().get(), listener.address).ok();
    fixture.wait_for(9, i + 1);
    REQUIRE(fixture.last_of(9).result >= 0);
    ends.emplace_back(fixture.last_of(9).result);
    CHECK(fixture.last_of(9).more);
    CHECK((::fcntl(ends.back().get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(ends.back().get(), F_GETFL) & O_NONBLOCK) != 0);
  }
  fixture.ring->cancel(9);
  fixture.wait_for(9, 4);
  CHECK(fixture.last_of(9).result == -ECANCELED);
}

TEST_CASE("what is cancelled completes once, as cancelled") {
  if (!has_ring()) return;
  Fixture fixture;
  FdPair pair = test::connect_tcp();
  test::fill(pair.first.get());
  must(fixture.ring->receive(0, pair.first.get(), 100, false));
  must(fixture.ring->receive(1, pair.first.get(), 0, true));
  must(fixture.ring->send(2, pair.first.get(), bytes_of("no room")));
  SUBCASE("before it was submitted") {}
  SUBCASE("once the kernel has it") {
    fixture.collect();
  }
  for (uint32_t key = 0; key < 3; key++) fixture.ring->cancel(key);
  for (uint32_t key = 0; key < 3; key++) {
    fixture.wait_for(key, 1);
    CHECK(fixture.last_of(key).result == -ECANCELED);
    CHECK_FALSE(fixture.last_of(key).more);
  }
  fixture.ring->cancel(0);
  fixture.ring->cancel(77);
  fixture.collect();
  for (uint32_t key = 0; key < 3; key++) CHECK(fixture.seen[key].size() == 1);
  CHECK(fixture.ring->pending() == 0);
}

TEST_CASE("a socket can be closed for good once its requests were cancelled") {
  if (!has_ring()) return;
  Fixture fixture;
  FdPair pair = test::connect_tcp();
  must(fixture.ring->receive(0, pair.first.get(), 0, true));
  fixture.collect();
  fixture.ring->cancel_all();
  fixture.wait_for(0, 1);
  pair.first.reset();
  char byte = 0;
  take(sys::wait_for(pair.second.get(), POLLIN, 10'000));
  CHECK(sys::receive(pair.second.get(), &byte, 1) == 0);
}

TEST_CASE("an error of the socket is the result") {
  if (!has_ring()) return;
  Fixture fixture;
  sys::UniqueFd fresh = take(sys::open_socket(AF_INET, SOCK_STREAM));
  must(fixture.ring->receive(0, fresh.get(), 100, false));
  must(fixture.ring->receive(1, fresh.get(), 0, true));
  must(fixture.ring->send(2, fresh.get(), bytes_of("x")));
  must(fixture.ring->accept(3, fresh.get()));
  must(fixture.ring->receive(4, -1, 100, false));
  for (uint32_t key = 0; key < 5; key++) fixture.wait_for(key, 1);
  CHECK(fixture.last_of(0).result == -ENOTCONN);
  CHECK(fixture.last_of(1).result == -ENOTCONN);
  CHECK(fixture.last_of(2).result == -EPIPE);
  CHECK(fixture.last_of(3).result == -EINVAL);
  CHECK(fixture.last_of(4).result == -EBADF);
  for (uint32_t key = 0; key < 5; key++) CHECK_FALSE(fixture.last_of(key).more);
}

TEST_CASE("registered memory is sent, and free when that is said") {
  if (!has_ring()) return;
  std::vector<std::byte> memory(64 * 1024);
  Fixture fixture;
  must(fixture.ring->register_memory(memory));
  FdPair pair = test::connect_tcp();
  std::memcpy(memory.data() + 100, "registered", 10);
  must(fixture.ring->send_registered(0, pair.first.get(), std::span(memory).subspan(100, 10)));
  fixture.wait_for(0, 1);
  CHECK(fixture.last_of(0).result == 10);
  CHECK(fixture.seen[0].size() == 1);
  char text[10] = {};
  REQUIRE(sys::receive(pair.second.get(), text, sizeof(text)) == 10);
  CHECK(std::string_view(text, 10) == "registered");
}

TEST_CASE("completions signal the eventfd, unless they are taken at once") {
  if (!has_ring()) return;
  Fixture fixture;
  FdPair pair = test::connect_tcp();
  must(fixture.ring->send(0, pair.first.get(), bytes_of("x")));
  must(fixture.ring->submit(true));
  CHECK(take(sys::wait_for(fixture.ring->event_fd(), POLLIN, 0)) == 0);
  CHECK(fixture.ring->is_due());
  must(fixture.ring->send(1, pair.first.get(), bytes_of("x")));
  must(fixture.ring->submit(false));
  CHECK(take(sys::wait_for(fixture.ring->event_fd(), POLLIN, 0)) != 0);
}

TEST_CASE("a ring can go while requests wait") {
  if (!has_ring()) return;
  FdPair pair = test::connect_tcp();
  {
    Fixture fixture;
    must(fixture.ring->receive(0, pair.first.get(), 100, false));
    must(fixture.ring->receive(1, pair.second.get(), 0, true));
    fixture.collect();
  }
  CHECK(sys::send(pair.first.get(), "x", 1) == 1);
}

TEST_CASE("a ring is refused where the kernel does not take its size") {
  if (!has_ring()) return;
  RingConfig config;
  config.entries = 0;
  CHECK(test::code_of(make_ring(config)) == EINVAL);
}

}  // namespace sock::reactor
