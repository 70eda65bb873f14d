// Two engines of TLS, and somebody between them who does what the input says: it holds back,
// alters, drops and adds bytes, cuts the line, and has users send, receive, end and go away at any
// moment.
//
// What has to hold whatever is done: no call crashes or goes on for ever, what is received is what
// was sent, as far as it goes, and an end is seen only where one was told. Where nothing was
// tampered with, nothing is lost either.
//
// The same input does the same again: OpenSSL's random numbers come from a counter here.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tls/consultation.h"
#include "tls_support.h"

namespace sock::tls {

using sys::IoResult;
using test::Line;
using test::TlsPair;

namespace {

// An input that long has done what it can.
constexpr int kActsMax = 300;

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "this does not hold: %s\n", what);
  std::abort();
}

uint64_t random_state = 0;

int give_random(unsigned char* out, int size) {
  for (int i = 0; i < size; i++) {
    // The mixing step of splitmix64.
    uint64_t mixed = random_state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    out[i] = static_cast<unsigned char>(mixed >> 56);
  }
  return 1;
}

void make_repeatable() {
  static RAND_METHOD method{};
  method.bytes = method.pseudorand = give_random;
  method.status = [] { return 1; };
  RAND_set_rand_method(&method);
  random_state = 0;
}

// What the input says, bit by bit; zeros behind its end.
class Script {
 public:
  Script(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool is_over() const { return at_ >= rest_.size(); }
  uint8_t byte() { return is_over() ? uint8_t{0} : static_cast<uint8_t>(rest_[at_++]); }
  std::string bytes(size_t count) {
    const size_t from = std::min(at_, rest_.size());
    std::string taken = rest_.substr(from, count);
    at_ = from + taken.size();
    return taken;
  }

 private:
  std::string rest_;
  size_t at_ = 0;
};

// What one user has done and seen.
struct User {
  std::string sent;
  std::string received;
  bool has_ended = false;
};

class Trial {
 public:
  Trial(const uint8_t* data, size_t size)
      : script_(data, size), traits_(script_.byte()), pair_(version(), "P-256", is_curious()) {}

  void run() {
    if ((traits_ & 4) != 0) offer_session();
    for (int i = 0; i < kActsMax && !script_.is_over(); i++) act();
    if (!is_tampered_) finish();
    demand(ERR_peek_error() == 0, "the queue of errors is left as it was found");
  }

 private:
  int version() const { return (traits_ & 1) != 0 ? TLS1_2_VERSION : TLS1_3_VERSION; }
  bool is_curious() const { return (traits_ & 2) != 0; }

  Engine* engine(bool is_server) { return (is_server ? pair_.server : pair_.client).get(); }
  User& user(bool is_server) { return users_[is_server ? 1 : 0]; }
  Line& line_to(bool is_server) { return is_server ? pair_.to_server : pair_.to_client; }

  void offer_session() {
    const std::string session = script_.bytes(script_.byte());
    const auto* data = reinterpret_cast<const unsigned char*>(session.data());
    pair_.client->set_session(data, session.size());
  }

  void act() {
    const uint8_t what = script_.byte();
    const bool is_server = (what & 0x80) != 0;
    Line& line = line_to(is_server);
    switch (what & 0x0f) {
      case 0:
        return step(is_server);
      case 1:
        return line.deliver(script_.byte());
      case 2:
        return line.deliver();
      case 3:
        return exchange();
      case 4:
        return alter(line.sent);
      case 5:
        line.arrived += script_.bytes(script_.byte());
        is_tampered_ = true;
        return;
      case 6:
        line.cut();
        line.error = script_.byte() % 2 == 0 ? 0 : ECONNRESET;
        is_tampered_ = true;
        return;
      case 7:
        return send(is_server);
      case 8:
        receive(is_server, 1 + script_.byte() * size_t{99});
        return;
      case 9:
        return shut_down(is_server);
      case 10:
        if (Engine* own = engine(is_server)) own->settle();
        return;
      case 11:
        line.room = script_.byte() * size_t{100};
        return;
      case 12:
        line.room = SIZE_MAX;
        if (Engine* own = engine(!is_server)) own->flush();
        return;
      case 13:
        line.sent.erase(0, script_.byte());
        is_tampered_ = true;
        return;
      case 14:
        (is_server ? pair_.server : pair_.client).reset();
        is_tampered_ = true;
        return;
      default:
        // Twice the same: a record that is played again.
        line.arrived += line.sent;
        is_tampered_ = true;
        return;
    }
  }

  void alter(std::string& bytes) {
    const size_t at = script_.byte() * size_t{256} + script_.byte();
    const auto flipped = static_cast<char>(script_.byte());
    if (bytes.empty() || flipped == 0) return;
    bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ flipped);
    is_tampered_ = true;
  }

  void step(bool is_server) {
    Engine* own = engine(is_server);
    if (own == nullptr || own->handshake() != -ENOMSG) return;
    const std::string protocol = script_.bytes(script_.byte() % 8);
    own->answer(protocol, script_.bytes(script_.byte()));
    demand(own->handshake() != -ENOMSG, "one question has one answer");
    // Whatever was said may be refused.
    is_tampered_ = true;
  }

  // A step of both, and what they have said to each other.
  void exchange() {
    for (const bool is_server : {false, true}) {
      step(is_server);
      line_to(!is_server).deliver();
    }
  }

  void send(bool is_server) {
    const std::string text(script_.byte() * size_t{160}, static_cast<char>(script_.byte()));
    Engine* own = engine(is_server);
    if (own == nullptr || !own->is_done()) return;
    const IoResult taken = own->send(text.data(), text.size());
    demand(taken <= static_cast<IoResult>(text.size()), "no more is taken than there is");
    if (taken > 0) user(is_server).sent += text.substr(0, static_cast<size_t>(taken));
  }

  // Whether there was something.
  bool receive(bool is_server, size_t room) {
    Engine* own = engine(is_server);
    if (own == nullptr || !own->is_done()) return false;
    std::string bytes(room, '\0');
    const IoResult got = own->receive(bytes.data(), bytes.size());
    demand(got <= static_cast<IoResult>(room), "no more is received than there is room for");
    if (got == 0) demand(user(!is_server).has_ended, "an end is told by the other side");
    if (got <= 0) return false;
    User& self = user(is_server);
    self.received.append(bytes, 0, static_cast<size_t>(got));
    const std::string& theirs = user(!is_server).sent;
    demand(theirs.compare(0, self.received.size(), self.received) == 0,
           "what is received was sent");
    return true;
  }

  void shut_down(bool is_server) {
    Engine* own = engine(is_server);
    if (own == nullptr || !own->is_done()) return;
    own->shutdown();
    user(is_server).has_ended = true;
  }

  // With an honest line in between, all of it arrives.
  void finish() {
    for (const bool is_server : {false, true}) line_to(is_server).room = SIZE_MAX;
    for (int i = 0; i < 10; i++) {
      exchange();
      if (is_tampered_) return;
      for (const bool is_server : {false, true}) {
        engine(is_server)->flush();
        line_to(!is_server).deliver();
        while (receive(is_server, 50'000)) continue;
      }
    }
    for (const bool is_server : {false, true}) {
      demand(engine(is_server)->is_done(), "who is not disturbed comes to agree");
      demand(user(is_server).received == user(!is_server).sent, "nothing is lost");
    }
  }

  Script script_;
  uint8_t traits_;
  TlsPair pair_;
  std::array<User, 2> users_;
  bool is_tampered_ = false;
};

}  // namespace

}  // namespace sock::tls

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sock::tls::make_repeatable();
  sock::tls::Trial(data, size).run();
  return 0;
}
