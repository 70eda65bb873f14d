// Two engines of TLS that face each other over memory, where each byte arrives when the test says.
#pragma once

#include <memory>
#include <string>

#include "support.h"
#include "tls/engine.h"

namespace sock::test {

// One direction of a connection.
struct Line {
  std::string sent;     // and on its way
  std::string arrived;  // and not yet received
  bool ended = false;   // nothing comes behind what has arrived
  int error = 0;        // what a receive says in place of an end, and a send in any case
  size_t room = SIZE_MAX;
  size_t told_room = 0;  // 0: not told
  size_t send_count = 0;
  size_t receive_count = 0;  // of those that brought something
  bool is_put_off = false;   // the last send promised another

  // The next bytes arrive; all there are without a count.
  void deliver(size_t count = SIZE_MAX);
  // The rest is lost, and the end is seen.
  void cut();
};

// A server with a certificate for `localhost`, and a client that takes any. Curious ones ask more:
// the server its user for a protocol and a response (OCSP), the client the server for both.
struct TlsPair {
  explicit TlsPair(int version = TLS1_3_VERSION, const char* curve = "P-256",
                   bool is_curious = false);

  // One step of each, as far as bytes have arrived. Whether both are done.
  bool step();
  // Steps and deliveries until both are done.
  void shake_hands();

  Line to_server;
  Line to_client;
  std::unique_ptr<tls::Engine> server;
  std::unique_ptr<tls::Engine> client;
};

// All that can be received now, and what the last receive said.
struct Received {
  std::string bytes;
  sys::IoResult end = 0;
};
Received receive_all(tls::Engine& engine);

sys::IoResult send_text(tls::Engine& engine, const std::string& text);

}  // namespace sock::test
