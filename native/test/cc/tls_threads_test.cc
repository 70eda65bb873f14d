#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "support.h"
#include "tls/handshake_threads.h"
#include "tls_support.h"

namespace sock::tls {

using test::TlsPair;

namespace {

// Whose key is slow: OpenSSL signs with this curve in about a millisecond.
constexpr const char* kSlowCurve = "P-384";

// An event loop, as far as threads know one.
class Loop {
 public:
  HandshakeThreads& threads() { return threads_; }

  // Waits for word of a thread, and returns what it is of.
  std::vector<reactor::Token> wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return is_told_; });
    is_told_ = false;
    // They tell with their own lock held.
    lock.unlock();
    return threads_.take();
  }

 private:
  static void on_notify(void* self) {
    auto* loop = static_cast<Loop*>(self);
    const std::lock_guard lock(loop->mutex_);
    loop->is_told_ = true;
    loop->wake_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_told_ = false;
  HandshakeThreads threads_{on_notify, this};
};

// What the client says first has arrived.
void greet(TlsPair& pair) {
  REQUIRE(pair.client->handshake() == -EAGAIN);
  pair.to_server.deliver();
}

}  // namespace

TEST_CASE("a slow key signs on a thread, which tells when it has") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    Loop loop;
    TlsPair pair(version, kSlowCurve);
    const reactor::Token owner{7, 3};
    size_t steps = 0;
    for (int i = 0; i < 10 && !pair.server->is_done(); i++) {
      pair.client->handshake();
      pair.to_server.deliver();
      while (pair.server->handshake(loop.threads(), owner) == -EINPROGRESS) {
        CHECK(pair.server->handshake(loop.threads(), owner) == -EINPROGRESS);
        CHECK(pair.server->holds_output() == false);
        const std::vector<reactor::Token> told = loop.wait();
        REQUIRE(told.size() == 1);
        CHECK(told[0].index == owner.index);
        CHECK(told[0].generation == owner.generation);
        pair.server->take_back();
        steps++;
      }
      pair.to_client.deliver();
    }
    REQUIRE(pair.server->is_done());
    CHECK(steps > 0);
    pair.client->handshake();
    REQUIRE(pair.client->is_done());
    REQUIRE(test::send_text(*pair.client, "hello") == 5);
    pair.to_server.deliver();
    CHECK(test::receive_all(*pair.server).bytes == "hello");
  }
}

TEST_CASE("nothing is left to a thread when nothing has arrived, nor of a key that is quick") {
  Loop loop;
  TlsPair slow(TLS1_3_VERSION, kSlowCurve);
  CHECK(slow.server->handshake(loop.threads(), {1, 1}) == -EAGAIN);
  TlsPair quick;
  greet(quick);
  CHECK(quick.server->handshake(loop.threads(), {2, 1}) == -EAGAIN);
  CHECK(quick.to_client.sent.empty() == false);
}

TEST_CASE("what a thread refuses is told as on the loop, and the peer hears of it") {
  Loop loop;
  TlsPair pair(TLS1_3_VERSION, kSlowCurve);
  pair.to_server.sent = "GET / HTTP/1.0\r\n\r\n";
  pair.to_server.deliver();
  REQUIRE(pair.server->handshake(loop.threads(), {1, 1}) == -EINPROGRESS);
  loop.wait();
  pair.server->take_back();
  CHECK(pair.server->handshake(loop.threads(), {1, 1}) == -EPROTO);
  CHECK(pair.server->failure().kind == FailureKind::kHandshake);
  CHECK(pair.server->handshake(loop.threads(), {1, 1}) == -EPROTO);
}

TEST_CASE("an engine, and its loop, may be gone while a thread works for it") {
  for (int i = 0; i < 40; i++) {
    Loop loop;
    std::vector<std::unique_ptr<TlsPair>> pairs;
    for (uint32_t index = 0; index < 6; index++) {
      pairs.push_back(std::make_unique<TlsPair>(TLS1_3_VERSION, kSlowCurve));
      greet(*pairs.back());
      REQUIRE(pairs.back()->server->handshake(loop.threads(), {index, 1}) == -EINPROGRESS);
    }
    pairs.erase(pairs.begin() + i % 6);
    if (i % 2 == 0) loop.wait();
  }
}

}  // namespace sock::tls
