// What a handshake leaves to users, beside what its context says.
//
// No JavaScript runs within OpenSSL, whose callbacks may be on another thread. Where a client's
// first message raises a question, the callback notes it here and has OpenSSL pause; the step of
// the handshake says -ENOMSG, users answer, and the next step goes on. A verdict on a certificate
// is left open until the handshake is over, and whoever made the connection asks before handing it
// out.
#pragma once

#include <string>
#include <vector>

#include "tls/ocsp.h"
#include "tls/openssl.h"

namespace sock::tls {

struct Consultation {
  // Of the client's first message: read, and whether it was answered.
  bool is_asked = false;
  bool is_answered = false;
  std::string hostname;       // empty: none was sent
  std::string offered;        // ALPN as on the wire; empty: none
  bool wants_staple = false;  // an OCSP response
  // The answers.
  std::string protocol;  // as on the wire; empty: none of them will do
  std::string staple;    // DER; empty: none
  // For clients: what the server's own response says of its certificate.
  OcspStatus status = OcspStatus::kAbsent;
  // Lines of a key log, since they were taken last.
  std::vector<std::string> secrets;

  // The one of a connection, which is made by its first use and goes with it.
  static Consultation& of(SSL* ssl);
};

// Reads from the message what users may be asked about. For callbacks of
// SSL_CTX_set_client_hello_cb.
void note_hello(SSL* ssl, Consultation& consultation);

}  // namespace sock::tls
