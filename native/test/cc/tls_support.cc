#include "tls_support.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <tuple>

#include "tls_certificates.h"

namespace sock::test {

using sys::IoResult;

namespace {

class MemoryTransport final : public reactor::Transport {
 public:
  MemoryTransport(Line& in, Line& out) : in_(in), out_(out) {}

  IoResult receive(void* data, size_t size) override {
    const size_t count = std::min(size, in_.arrived.size());
    // As recv(2): fewer than there was room for are all there were.
    drained_ = count < size && !in_.ended;
    if (count == 0 && in_.ended) return in_.error == 0 ? 0 : -in_.error;
    if (count == 0) return -EAGAIN;
    in_.receive_count++;
    std::copy_n(in_.arrived.begin(), count, static_cast<char*>(data));
    in_.arrived.erase(0, count);
    return static_cast<IoResult>(count);
  }

  IoResult send(const void* data, size_t size, sys::Follows follows) override {
    out_.send_count++;
    out_.is_put_off = follows == sys::Follows::kMore;
    if (out_.error != 0) return -out_.error;
    const size_t count = std::min(size, out_.room);
    if (count == 0) return -EAGAIN;
    if (out_.room != SIZE_MAX) out_.room -= count;
    out_.sent.append(static_cast<const char*>(data), count);
    return static_cast<IoResult>(count);
  }

  size_t send_room() const override { return out_.told_room; }
  void begin_receive() override { drained_ = false; }
  bool drained() const override { return drained_; }

 private:
  Line& in_;
  Line& out_;
  bool drained_ = false;
};

tls::Identity make_identity(const char* curve) {
  const Certified made = certify(Use::kServer, nullptr, curve);
  return {"", pem_of(made.certificate.get()), pem_of(made.key.get()), "", ""};
}

// A context is for any number of connections.
std::shared_ptr<const tls::Context> context_for(tls::Role role, int version, const char* curve,
                                                bool is_curious) {
  static std::map<std::string, tls::Identity> identities;
  static std::map<std::tuple<tls::Role, int, std::string, bool>,
                  std::shared_ptr<const tls::Context>>
      contexts;
  auto& context = contexts[{role, version, curve, is_curious}];
  if (context != nullptr) return context;
  tls::Identity& identity = identities[curve];
  if (identity.key.empty()) identity = make_identity(curve);
  tls::Settings settings;
  settings.role = role;
  settings.version_min = settings.version_max = version;
  if (role == tls::Role::kServer) {
    settings.identities.push_back(identity);
    settings.asks_protocol = settings.asks_staple = is_curious;
  } else if (is_curious) {
    settings.authorities.push_back(identity.chain);
    settings.verify_mode = SSL_VERIFY_PEER;
    settings.requests_status = true;
    settings.protocols =
        "\x02"
        "h2"
        "\x04"
        "echo";
  }
  tls::Refusal refusal;
  context = tls::Context::create(settings, refusal);
  REQUIRE_MESSAGE(context != nullptr, refusal.reason);
  return context;
}

}  // namespace

void Line::deliver(size_t count) {
  count = std::min(count, sent.size());
  arrived.append(sent, 0, count);
  sent.erase(0, count);
}

void Line::cut() {
  sent.clear();
  ended = true;
}

TlsPair::TlsPair(int version, const char* curve, bool is_curious)
    : server(tls::Engine::create(context_for(tls::Role::kServer, version, curve, is_curious),
                                 std::make_unique<MemoryTransport>(to_server, to_client))),
      client(tls::Engine::create(context_for(tls::Role::kClient, version, curve, is_curious),
                                 std::make_unique<MemoryTransport>(to_client, to_server))) {
  REQUIRE(server != nullptr);
  REQUIRE(client != nullptr);
}

bool TlsPair::step() {
  client->handshake();
  server->handshake();
  return client->is_done() && server->is_done();
}

void TlsPair::shake_hands() {
  for (int i = 0; i < 10 && !step(); i++) {
    to_server.deliver();
    to_client.deliver();
  }
  REQUIRE(client->is_done());
  REQUIRE(server->is_done());
}

Received receive_all(tls::Engine& engine) {
  Received received;
  std::array<char, 1'000> buffer;
  // More than any test sends: a receive that never ends would be an engine that spins.
  for (int i = 0; i < 10'000; i++) {
    received.end = engine.receive(buffer.data(), buffer.size());
    if (received.end <= 0) return received;
    received.bytes.append(buffer.data(), static_cast<size_t>(received.end));
  }
  FAIL("the engine receives without an end");
  return received;
}

IoResult send_text(tls::Engine& engine, const std::string& text) {
  return engine.send(text.data(), text.size());
}

}  // namespace sock::test
