#include <algorithm>
#include <cerrno>
#include <random>
#include <string>

#include "support.h"
#include "tls/engine.h"
#include "tls_support.h"

namespace sock::tls {

using sys::IoResult;
using test::Line;
using test::receive_all;
using test::Received;
using test::send_text;
using test::TlsPair;

namespace {

constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
const std::string kQuestion = "how are you?";

// Bytes of no meaning, more than two records.
std::string long_text() {
  std::string text(40'000, '\0');
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<char>(i * 31 >> 3);
  return text;
}

// What a handshake takes in one direction when nothing goes wrong, about.
size_t size_of_flights(int version) {
  TlsPair pair(version);
  size_t size = 0;
  for (int i = 0; i < 10 && !pair.step(); i++) {
    size += pair.to_client.sent.size();
    pair.to_client.deliver();
    pair.to_server.deliver();
  }
  return size;
}

// Steps and deliveries until so many bytes have arrived at the client, or both are done.
void shake_until(TlsPair& pair, size_t size) {
  for (int i = 0; i < 10 && size > 0 && !pair.step(); i++) {
    const size_t next = std::min(size, pair.to_client.sent.size());
    pair.to_client.deliver(next);
    pair.to_server.deliver();
    size -= next;
  }
}

bool is_settled(const Engine& engine) {
  return engine.is_done() || engine.failure().kind != FailureKind::kNone;
}

}  // namespace

TEST_CASE("a handshake and what follows arrive byte by byte") {
  for (const int version : kVersions) {
    CAPTURE(version);
    TlsPair pair(version);
    for (int i = 0; i < 20'000 && !pair.step(); i++) {
      pair.to_server.deliver(1);
      pair.to_client.deliver(1);
    }
    REQUIRE(pair.client->is_done());
    REQUIRE(pair.server->is_done());
    pair.to_server.deliver();

    REQUIRE(send_text(*pair.client, kQuestion) == static_cast<IoResult>(kQuestion.size()));
    std::string got;
    while (!pair.to_server.sent.empty()) {
      pair.to_server.deliver(1);
      got += receive_all(*pair.server).bytes;
    }
    CHECK(got == kQuestion);
  }
}

TEST_CASE("a flight of a handshake is one send, and so are both tickets") {
  for (const int version : kVersions) {
    CAPTURE(version);
    TlsPair pair(version);
    pair.shake_hands();
    CHECK(pair.to_server.send_count == 2);
    CHECK(pair.to_client.send_count == 2);
  }
}

TEST_CASE("a flight of a handshake is one receive, however little of it is asked for") {
  for (const int version : kVersions) {
    CAPTURE(version);
    TlsPair pair(version);
    SSL_set_read_ahead(pair.client->ssl(), 0);
    SSL_set_read_ahead(pair.server->ssl(), 0);
    pair.shake_hands();
    CHECK(pair.to_server.receive_count == 2);
    // Those with tickets are TLS 1.3's, and not of the handshake.
    CHECK(pair.to_client.receive_count == (version == TLS1_3_VERSION ? 1 : 2));
  }
}

TEST_CASE("what comes with the last of a handshake is received behind it") {
  TlsPair pair;
  SSL_set_read_ahead(pair.server->ssl(), 0);
  CHECK(pair.client->handshake() == -EAGAIN);
  pair.to_server.deliver();
  CHECK(pair.server->handshake() == -EAGAIN);
  pair.to_client.deliver();
  REQUIRE(pair.client->handshake() == 0);
  REQUIRE(send_text(*pair.client, "at once") == 7);
  pair.to_server.deliver();
  REQUIRE(pair.server->handshake() == 0);
  CHECK(pair.to_server.arrived.empty());
  CHECK(pair.server->may_receive());
  CHECK(receive_all(*pair.server).bytes == "at once");
}

TEST_CASE("a long send is one call for every four records, and only the last promises no other") {
  constexpr size_t kRecord = 16 * 1024;
  for (const size_t records : {2U, 4U, 5U, 8U, 9U}) {
    CAPTURE(records);
    TlsPair pair;
    pair.shake_hands();
    Line& line = pair.to_client;
    const size_t before = line.send_count;
    const std::string text(records * kRecord, 'x');
    REQUIRE(send_text(*pair.server, text) == static_cast<IoResult>(text.size()));
    CHECK(line.send_count - before == (records + 3) / 4);
    CHECK_FALSE(line.is_put_off);
    line.deliver();
    CHECK(receive_all(*pair.client).bytes == text);
  }
}

TEST_CASE("a long send is one call for as many records as there is sure to be room for") {
  constexpr size_t kRecord = 16 * 1024;
  struct Case {
    size_t room;
    size_t together;
  };
  // No fewer than four, no more than sixteen.
  for (const Case told : {Case{0, 4}, {50'000, 4}, {8 * 24 * 1024, 9}, {4 * 1024 * 1024, 16}}) {
    CAPTURE(told.room);
    TlsPair pair;
    pair.shake_hands();
    Line& line = pair.to_client;
    line.told_room = told.room;
    const size_t before = line.send_count;
    const std::string text(33 * kRecord, 'x');
    REQUIRE(send_text(*pair.server, text) == static_cast<IoResult>(text.size()));
    CHECK(line.send_count - before == (33 + told.together - 1) / told.together);
    line.deliver();
    CHECK(receive_all(*pair.client).bytes == text);
  }
}

TEST_CASE("a connection outlives a kernel that takes nothing of what it had told room for") {
  TlsPair pair;
  pair.shake_hands();
  Line& line = pair.to_client;
  line.told_room = 4 * 1024 * 1024;
  line.room = 0;
  const std::string text(1024 * 1024, 'x');
  const IoResult taken = send_text(*pair.server, text);
  CHECK(taken == 256 * 1024);
  CHECK(send_text(*pair.server, text) == -EAGAIN);
  line.room = SIZE_MAX;
  REQUIRE(pair.server->flush() == 0);
  line.deliver();
  CHECK(receive_all(*pair.client).bytes == text.substr(0, static_cast<size_t>(taken)));
}

TEST_CASE("a long send that is not taken promises nothing behind what is held") {
  TlsPair pair;
  pair.shake_hands();
  Line& line = pair.to_client;
  const std::string text(1024 * 1024, 'x');
  line.room = 100'000;
  REQUIRE(send_text(*pair.server, text) == 128 * 1024);
  CHECK(line.is_put_off);
  line.room = SIZE_MAX;
  REQUIRE(pair.server->flush() == 0);
  CHECK_FALSE(line.is_put_off);
}

TEST_CASE("the last words of a handshake that cannot be sent are no handshake") {
  TlsPair pair;
  pair.step();
  pair.to_server.deliver();
  pair.step();
  pair.to_client.deliver();
  pair.to_server.error = EPIPE;
  CHECK(pair.client->handshake() == -EPIPE);
  CHECK(pair.client->handshake() == -EPIPE);
}

TEST_CASE("what is sent arrives whole, in whatever pieces, through whatever room") {
  const uint64_t seed = test::test_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string text = long_text();
  for (int round = 0; round < 20; round++) {
    TlsPair pair(kVersions[round % 2]);
    pair.shake_hands();
    pair.to_client.deliver();
    size_t taken = 0;
    std::string got;
    while (got.size() < text.size()) {
      pair.to_server.room = random() % 9'000;
      if (pair.client->holds_output()) {
        pair.client->flush();
      } else {
        const IoResult sent = send_text(*pair.client, text.substr(taken));
        REQUIRE((sent >= 0 || sent == -EAGAIN));
        taken += sent > 0 ? static_cast<size_t>(sent) : 0;
      }
      pair.to_server.deliver(random() % 20'000);
      const Received received = receive_all(*pair.server);
      REQUIRE(received.end == -EAGAIN);
      got += received.bytes;
    }
    CHECK(got == text);
  }
}

TEST_CASE("a part of a record is nothing to be called again for") {
  TlsPair pair;
  pair.shake_hands();
  pair.to_client.deliver();
  send_text(*pair.client, kQuestion);
  pair.to_server.deliver(pair.to_server.sent.size() - 1);

  char byte = 0;
  CHECK(pair.server->receive(&byte, 1) == -EAGAIN);
  CHECK_FALSE(pair.server->holds_input());
  CHECK_FALSE(pair.server->may_receive());
  pair.to_server.deliver();
  CHECK(pair.server->receive(&byte, 1) == 1);
  // The rest of it is no longer with the transport.
  CHECK(pair.server->holds_input());
  CHECK(receive_all(*pair.server).bytes == kQuestion.substr(1));
}

TEST_CASE("a connection that is cut off is never one that ended") {
  for (const int version : kVersions) {
    const size_t size = size_of_flights(version);
    REQUIRE(size > 500);
    for (size_t kept = 0; kept < size; kept += 1 + kept % 23) {
      CAPTURE(version);
      CAPTURE(kept);
      TlsPair pair(version);
      shake_until(pair, kept);
      pair.to_client.cut();
      pair.step();
      if (!pair.client->is_done()) {
        CHECK(pair.client->handshake() == -EPROTO);
      } else {
        CHECK(receive_all(*pair.client).end == -EPROTO);
      }
      CHECK(pair.client->failure().kind == FailureKind::kTruncated);
      // And so it stays.
      char byte = 0;
      CHECK(pair.client->receive(&byte, 1) == -EPROTO);
      CHECK(pair.client->send(&byte, 1) == -EPROTO);
    }
  }
}

TEST_CASE("the end that the peer tells of is one, and a reset is a reset") {
  TlsPair pair;
  pair.shake_hands();
  pair.to_client.deliver();
  send_text(*pair.client, kQuestion);
  REQUIRE(pair.client->shutdown() == 0);
  pair.to_server.deliver();
  const Received received = receive_all(*pair.server);
  CHECK(received.bytes == kQuestion);
  CHECK(received.end == 0);

  pair.to_client.ended = true;
  pair.to_client.error = ECONNRESET;
  CHECK(receive_all(*pair.client).end == -ECONNRESET);
}

TEST_CASE("bytes that were altered on the way end the connection, and are never received") {
  const uint64_t seed = test::test_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; round++) {
    const int version = kVersions[round % 2];
    const size_t at = random() % size_of_flights(version);
    const auto flipped = static_cast<char>(1 + random() % 255);
    CAPTURE(round);
    CAPTURE(at);
    TlsPair pair(version);
    size_t passed = 0;
    for (int i = 0; i < 12; i++) {
      pair.step();
      Line& wire = pair.to_client;
      if (at >= passed && at < passed + wire.sent.size()) {
        char& byte = wire.sent[at - passed];
        byte = static_cast<char>(byte ^ flipped);
      }
      passed += wire.sent.size();
      wire.deliver();
      pair.to_server.deliver();
    }
    // A length that grew is waited for; the rest is refused. In TLS 1.3 what comes behind the
    // handshake is read later, and the version of a record is nobody's business.
    pair.to_client.cut();
    pair.to_server.cut();
    pair.step();
    CHECK(is_settled(*pair.client));
    CHECK(is_settled(*pair.server));
    if (pair.server->is_done()) CHECK(receive_all(*pair.server).bytes.empty());
    if (pair.client->is_done()) CHECK(receive_all(*pair.client).bytes.empty());
  }
}

TEST_CASE("garbage in the place of records is refused at every state") {
  const uint64_t seed = test::test_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; round++) {
    const int version = kVersions[round % 2];
    const size_t from = random() % size_of_flights(version);
    CAPTURE(round);
    CAPTURE(from);
    TlsPair pair(version);
    shake_until(pair, from);
    std::string garbage(17'000, '\0');
    for (char& byte : garbage) byte = static_cast<char>(random());
    pair.to_client.arrived += garbage;
    pair.to_client.cut();
    pair.step();
    if (pair.client->is_done()) {
      const Received received = receive_all(*pair.client);
      CHECK(received.bytes.empty());
      CHECK(received.end == -EPROTO);
    }
    CHECK(pair.client->failure().kind != FailureKind::kNone);
  }
}

TEST_CASE("a record above what TLS allows is refused at every state, before it has arrived") {
  for (const int version : kVersions) {
    for (const char type : {'\x14', '\x15', '\x16', '\x17'}) {
      for (int step_count = 0; step_count < 6; step_count++) {
        for (const bool at_server : {true, false}) {
          CAPTURE(version);
          CAPTURE(static_cast<int>(type));
          CAPTURE(step_count);
          CAPTURE(at_server);
          TlsPair pair(version);
          for (int i = 0; i < step_count; i++) {
            pair.step();
            pair.to_server.deliver();
            pair.to_client.deliver();
          }
          // What came in order is taken; then comes more than any version has room for: RFC 5246,
          // 6.2.3, has 2^14 + 2048, RFC 8446 less.
          Engine& engine = at_server ? *pair.server : *pair.client;
          Line& line = at_server ? pair.to_server : pair.to_client;
          line.arrived += std::string({type, '\x03', '\x03', '\x48', '\x01'});
          IoResult told = 0;
          for (int i = 0; i < 3 && !engine.is_done() && told != -EPROTO; i++) {
            told = engine.handshake();
          }
          if (engine.is_done()) told = receive_all(engine).end;
          CHECK(told == -EPROTO);
          CHECK(engine.failure().kind != FailureKind::kNone);
        }
      }
    }
  }
}

TEST_CASE("a record is refused as soon as it is longer than this version allows") {
  TlsPair pair;
  pair.shake_hands();
  pair.to_client.deliver();
  // RFC 8446, 5.2: 2^14 + 256 at most.
  pair.to_server.arrived = std::string("\x17\x03\x03\x42\x00", 5);
  const Received received = receive_all(*pair.server);
  CHECK(received.end == -EPROTO);
  CHECK(pair.server->failure().kind == FailureKind::kProtocol);
}

TEST_CASE("an engine can be shut down, and is gone, at every step") {
  for (const int version : kVersions) {
    const size_t size = size_of_flights(version);
    for (size_t kept = 0; kept < size; kept += 41) {
      CAPTURE(kept);
      TlsPair pair(version);
      shake_until(pair, kept);
      const bool was_done = pair.client->is_done();
      CHECK(pair.server->shutdown() == 0);
      CHECK(pair.client->shutdown() == 0);
      pair.server->settle();
      if (kept % 2 == 0) pair.server.reset();
      pair.to_client.deliver();
      pair.client->handshake();
      char byte = 0;
      if (was_done) CHECK(pair.client->send(&byte, 1) == -EPIPE);
    }
  }
}

TEST_CASE("what others left in the queue of errors is none of ours") {
  TlsPair pair;
  ERR_raise(ERR_LIB_USER, 1);
  CHECK(pair.client->handshake() == -EAGAIN);
  CHECK(pair.client->failure().kind == FailureKind::kNone);
  pair.shake_hands();
  char byte = 0;
  ERR_raise(ERR_LIB_USER, 1);
  CHECK(pair.client->receive(&byte, 1) == -EAGAIN);
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("what the transport refuses is held, and no more is taken meanwhile") {
  TlsPair pair;
  pair.shake_hands();
  pair.to_server.room = 3;
  CHECK(send_text(*pair.client, kQuestion) == static_cast<IoResult>(kQuestion.size()));
  CHECK(pair.client->holds_output());
  CHECK(send_text(*pair.client, kQuestion) == -EAGAIN);
  CHECK(pair.client->flush() == -EAGAIN);
  pair.to_server.room = SIZE_MAX;
  CHECK(pair.client->flush() == 0);
  pair.to_server.deliver();
  CHECK(receive_all(*pair.server).bytes == kQuestion);
}

}  // namespace sock::tls
