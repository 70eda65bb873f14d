// Batches of datagrams: one call for many, what comes beside them, what is cut, and what is
// awaited.
#include <netinet/in.h>
#include <netinet/udp.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "net/datagram.h"
#include "support.h"
#include "sys/multicast.h"
#include "sys/socket_options.h"

namespace sock::net {

namespace {

using reactor::Kind;
using reactor::Reactor;
using sys::DatagramEntry;
using test::take;
namespace flag = sys::datagram_flag;

struct Batch {
  explicit Batch(size_t count, size_t room_for_each = 64)
      : entries(count), memory(count * room_for_each), room(room_for_each) {}

  sys::ReceiveSlots slots(bool wants_control = false) {
    return {.entries = entries,
            .memory = memory.data(),
            .stride = room,
            .room = room,
            .wants_control = wants_control};
  }

  std::string text(size_t i) const {
    return {reinterpret_cast<const char*>(memory.data()) + entries[i].offset,
            static_cast<size_t>(entries[i].length)};
  }

  std::vector<DatagramEntry> entries;
  std::vector<std::byte> memory;
  size_t room;
};

// Texts one behind the other, each a datagram.
struct Outgoing {
  void add(const std::string& text, const sys::SockAddr* to = nullptr, int segment = 0) {
    DatagramEntry entry{};
    entry.offset = static_cast<int32_t>(bytes.size());
    entry.length = static_cast<int32_t>(text.size());
    entry.segment = segment;
    if (to != nullptr) {
      entry.address_size = to->size();
      std::memcpy(entry.address, to->get(), to->size());
    }
    bytes += text;
    entries.push_back(entry);
  }

  sys::SendSlots slots(bool may_offload = true) const {
    return {.entries = entries,
            .memory = reinterpret_cast<const std::byte*>(bytes.data()),
            .skipped = 0,
            .may_offload = may_offload};
  }

  std::vector<DatagramEntry> entries;
  std::string bytes;
};

struct Udp {
  explicit Udp(int family = AF_INET) : fd(take(sys::open_socket(family, SOCK_DGRAM))) {
    const std::string host = family == AF_INET6 ? "::1" : "127.0.0.1";
    test::must(sys::bind_socket(fd.get(), take(sys::SockAddr::from_literal(host, 0))));
    address = take(sys::local_address(fd.get()));
  }

  sys::UniqueFd fd;
  sys::SockAddr address;
};

sys::SockAddr address_of(const DatagramEntry& entry) {
  return sys::SockAddr::from_raw(entry.address, entry.address_size);
}

void set(const sys::UniqueFd& fd, sys::Option option) {
  const sys::OptionName found = take(sys::option_name(option));
  test::must(sys::set_option(fd.get(), found.level, found.name, 1));
}

}  // namespace

TEST_CASE("a batch goes out and comes in, with where each is from") {
  const Udp near;
  const Udp far;
  sys::DatagramCalls calls;
  Outgoing out;
  for (const char* text : {"one", "", "three"}) out.add(text, &far.address);
  const sys::SendProgress sent = calls.send(near.fd.get(), out.slots());
  CHECK(sent.entries == 3);
  CHECK(sent.datagrams == 3);
  CHECK(sent.error == 0);
  Batch batch(8);
  REQUIRE(calls.receive(far.fd.get(), batch.slots()) == 3);
  CHECK(batch.text(0) == "one");
  CHECK(batch.text(1).empty());
  CHECK(batch.text(2) == "three");
  CHECK(address_of(batch.entries[2]).port() == near.address.port());
  CHECK(address_of(batch.entries[2]).host() == "127.0.0.1");
  CHECK(calls.receive(far.fd.get(), batch.slots()) == -EAGAIN);
}

TEST_CASE("what is longer than the room for it is told") {
  const Udp near;
  const Udp far;
  sys::DatagramCalls calls;
  Outgoing out;
  out.add("abcdef", &far.address);
  out.add("abcd", &far.address);
  CHECK(calls.send(near.fd.get(), out.slots()).entries == 2);
  Batch batch(2, 4);
  REQUIRE(calls.receive(far.fd.get(), batch.slots()) == 2);
  CHECK(batch.entries[0].flags == flag::kTruncated);
  CHECK(batch.text(0) == "abcd");
  CHECK(batch.entries[1].flags == 0);
}

TEST_CASE("a batch stops at the datagram that is refused, and says why") {
  const Udp near;
  const Udp far;
  const sys::SockAddr broadcast = take(sys::SockAddr::from_literal("255.255.255.255", 9));
  sys::DatagramCalls calls;
  Outgoing out;
  out.add("good", &far.address);
  out.add("bad", &broadcast);
  out.add("good again", &far.address);
  const sys::SendProgress sent = calls.send(near.fd.get(), out.slots());
  CHECK(sent.entries == 1);
  CHECK(sent.total_bytes == 4);
  CHECK((sent.error == EACCES || sent.error == ENETUNREACH));
}

TEST_CASE("bytes are cut into segments, by the kernel or by us, to the same datagrams") {
  const Udp near;
  const Udp far;
  sys::DatagramCalls calls;
  const std::string bytes(2'500, 'x');
  for (const bool may_offload : {true, false}) {
    Outgoing out;
    out.add(bytes, &far.address, 1'000);
    out.add("short", &far.address, 1'000);
    const sys::SendProgress sent = calls.send(near.fd.get(), out.slots(may_offload));
    CHECK(sent.error == 0);
    CHECK(sent.entries == 2);
    CHECK(sent.datagrams == 4);
    CHECK(sent.total_bytes == 2'505);
    Batch batch(8, 2'000);
    REQUIRE(calls.receive(far.fd.get(), batch.slots()) == 4);
    CHECK(batch.entries[0].length == 1'000);
    CHECK(batch.entries[1].length == 1'000);
    CHECK(batch.entries[2].length == 500);
    CHECK(batch.text(3) == "short");
  }
}

TEST_CASE("more segments than the kernel takes in one call are several calls") {
  const Udp near;
  const Udp far;
  test::must(sys::set_option(far.fd.get(), SOL_SOCKET, SO_RCVBUF, 1 << 20));
  sys::DatagramCalls calls;
  Outgoing out;
  out.add(std::string(300, 'y'), &far.address, 1);
  const sys::SendProgress sent = calls.send(near.fd.get(), out.slots());
  CHECK(sent.error == 0);
  CHECK(sent.datagrams == 300);
  Batch batch(400);
  CHECK(calls.receive(far.fd.get(), batch.slots()) == 300);
}

TEST_CASE("segments that are larger than the device takes are cut all the same") {
  const Udp near;
  const Udp far;
  sys::DatagramCalls calls;
  Outgoing out;
  // Loopback has packets of 65,536 bytes, headers included.
  out.add(std::string(65'507, 'z'), &far.address, 40'000);
  const sys::SendProgress sent = calls.send(near.fd.get(), out.slots());
  CHECK(sent.error == 0);
  CHECK(sent.datagrams == 2);
  Batch batch(4, 65'507);
  REQUIRE(calls.receive(far.fd.get(), batch.slots()) == 2);
  CHECK(batch.entries[1].length == 25'507);
}

TEST_CASE("a socket that does not know of segments has them cut by us") {
  const sys::FdPair pair = take(sys::open_pair(SOCK_DGRAM));
  sys::DatagramCalls calls;
  Outgoing out;
  out.add("abcde", nullptr, 2);
  const sys::SendProgress sent = calls.send(pair.first.get(), out.slots());
  CHECK(sent.error == 0);
  CHECK(sent.datagrams == 3);
  Batch batch(4);
  REQUIRE(calls.receive(pair.second.get(), batch.slots()) == 3);
  CHECK(batch.text(2) == "e");
}

TEST_CASE("what comes beside a datagram is told, and the answer leaves from where it arrived") {
  for (const int family : {AF_INET, AF_INET6}) {
    CAPTURE(family);
    const bool is_ipv6 = family == AF_INET6;
    const Udp near(family);
    const Udp far(family);
    using enum sys::Option;
    for (const sys::Option option :
         {is_ipv6 ? kPacketInfo6 : kPacketInfo, is_ipv6 ? kReceiveTrafficClass : kReceiveTos,
          is_ipv6 ? kReceiveHopLimit : kReceiveTtl, kTimestamps}) {
      set(far.fd, option);
    }
    sys::DatagramCalls calls;
    Outgoing out;
    out.add("x", &far.address);
    out.entries[0].flags = flag::kSetTos | flag::kSetTtl;
    out.entries[0].tos = 0xb9;
    out.entries[0].ttl = 7;
    CHECK(calls.send(near.fd.get(), out.slots()).error == 0);
    Batch batch(1);
    REQUIRE(calls.receive(far.fd.get(), batch.slots(true)) == 1);
    DatagramEntry& entry = batch.entries[0];
    const uint32_t told = flag::kLocal | flag::kTos | flag::kTtl | flag::kTime;
    CHECK((entry.flags & told) == told);
    CHECK(((entry.flags & flag::kIsIpv6) != 0) == is_ipv6);
    CHECK(entry.tos == 0xb9);
    CHECK(entry.ttl == 7);
    CHECK(entry.time_ms > 1e12);
    CHECK(sys::interface_name(entry.interface) == "lo");
    const sys::SendSlots answer{.entries = batch.entries, .memory = batch.memory.data()};
    CHECK(calls.send(far.fd.get(), answer).error == 0);
    CHECK(calls.receive(near.fd.get(), batch.slots()) == 1);
  }
}

TEST_CASE("what the kernel joins has the length of its pieces") {
  const Udp near;
  const Udp far;
  sys::DatagramCalls calls;
  set(far.fd, sys::Option::kReceiveOffload);
  Outgoing out;
  out.add(std::string(2'500, 'x'), &far.address, 1'000);
  CHECK(calls.send(near.fd.get(), out.slots()).error == 0);
  Batch batch(4, 65'535);
  REQUIRE(calls.receive(far.fd.get(), batch.slots(true)) == 1);
  CHECK(batch.entries[0].length == 2'500);
  CHECK(batch.entries[0].segment == 1'000);
}

TEST_CASE("a source is drained by a batch that is not full, and awaited when there is nothing") {
  Reactor reactor(take(reactor::make_epoll_poller()));
  std::vector<reactor::SharedWords> words(reactor::Slots::kPageSize);
  reactor.slots().add_page(words.data());
  sys::FdPair pair = take(sys::open_pair(SOCK_DGRAM));
  const sys::UniqueFd near = std::move(pair.first);
  reactor::Source& source = reactor.slots().take(std::move(pair.second), Kind::kStream);
  sys::DatagramCalls calls;
  Batch batch(2);
  CHECK(receive_datagrams(reactor, source, calls, batch.slots(), {.wait = true}) == -EAGAIN);
  CHECK(source.registered());
  CHECK_FALSE(source.has(reactor::flag::kReadable));

  for (int i = 0; i < 3; i++) REQUIRE(sys::send(near.get(), "x", 1) == 1);
  std::array<reactor::Event, 4> events;
  REQUIRE(take(reactor.poller().wait(events, 1'000)) == 1);
  CHECK(reactor.note(events[0]) == &source);
  CHECK(receive_datagrams(reactor, source, calls, batch.slots(), {.wait = true}) == 2);
  CHECK(source.has(reactor::flag::kReadable));
  CHECK(receive_datagrams(reactor, source, calls, batch.slots(), {.wait = true}) == 1);
  CHECK_FALSE(source.has(reactor::flag::kReadable));
  CHECK(source.bytes_received == 3);
}

TEST_CASE("a send that the kernel has no room for is told of room, once") {
  Reactor reactor(take(reactor::make_epoll_poller()));
  std::vector<reactor::SharedWords> words(reactor::Slots::kPageSize);
  reactor.slots().add_page(words.data());
  sys::FdPair pair = take(sys::open_pair(SOCK_DGRAM));
  const sys::UniqueFd far = std::move(pair.second);
  reactor::Source& source = reactor.slots().take(std::move(pair.first), Kind::kStream);
  sys::DatagramCalls calls;
  Outgoing out;
  for (int i = 0; i < 2'000; i++) out.add("x");
  const sys::SendProgress sent =
      send_datagrams(reactor, source, calls, out.slots(), {.wait = true});
  CHECK(sent.error == EAGAIN);
  CHECK(sent.entries > 0);
  CHECK(sent.entries == source.bytes_sent);
  CHECK_FALSE(source.has(reactor::flag::kWritable));
  CHECK(test::drain(far.get()) == sent.entries);
  std::array<reactor::Event, 4> events;
  REQUIRE(take(reactor.poller().wait(events, 1'000)) == 1);
  CHECK(reactor.note(events[0])->has(reactor::flag::kWritable));
  CHECK(source.interest == reactor::kRead);
}

}  // namespace sock::net
