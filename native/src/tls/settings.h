// What a context is asked to be made of, and which of it was refused.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tls/openssl.h"

namespace sock::tls {

enum class Role : uint8_t { kServer, kClient };

// A certificate with what it needs; PEM text.
struct Identity {
  std::string hostname;  // empty: for names that no other is for
  std::string chain;     // the leaf first
  std::string key;
  std::string passphrase;
  std::string staple;  // the authority's word on it (OCSP), DER; empty: none
};

// What session tickets are sealed with, in three parts as OpenSSL has them: name, HMAC, AES.
constexpr size_t kTicketNameSize = 16;
constexpr size_t kTicketSecretSize = 32;
struct TicketKey {
  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  ~TicketKey() { OPENSSL_cleanse(this, sizeof(*this)); }

  std::array<unsigned char, kTicketNameSize> name;
  std::array<unsigned char, kTicketSecretSize> mac;
  std::array<unsigned char, kTicketSecretSize> cipher;
};
constexpr size_t kTicketKeySize = sizeof(TicketKey);
static_assert(kTicketKeySize == 80);

// Whom the system trusts.
struct SystemRoots {
  std::vector<std::string> texts;        // PEM
  std::vector<std::string> files;        // paths of files with PEM text
  std::vector<std::string> directories;  // where OpenSSL looks for files by the hash of a name

  bool empty() const { return texts.empty() && files.empty() && directories.empty(); }
};

struct Settings {
  Role role = Role::kServer;
  std::vector<Identity> identities;
  std::vector<std::string> authorities;  // PEM text
  SystemRoots system_roots;              // where they are trusted, too
  std::vector<std::string> revocations;  // lists of authorities (CRL), PEM text
  bool revocation_of_leaf_only = false;  // else each certificate but the root needs a list
  int verify_mode = 0;                   // SSL_VERIFY_* of <openssl/ssl.h>
  int version_min = 0;
  int version_max = 0;
  std::string ciphers;        // up to TLS 1.2; empty: our list
  std::string cipher_suites;  // of TLS 1.3; empty: our list
  // Of session tickets, the one in use first; none: OpenSSL's own.
  std::vector<TicketKey> ticket_keys;
  uint32_t session_life_s = 300;
  std::string protocols;  // ALPN, as on the wire (RFC 7301, 3.1), the best first
  // What users are consulted about; see consultation.h.
  bool asks_protocol = false;  // of servers
  bool asks_staple = false;    // of servers
  bool asks_verdict = false;
  bool logs_secrets = false;
  // Of clients: whether a response (OCSP) is asked for, and whether one has to come.
  bool requests_status = false;
  bool requires_status = false;
  // Sessions are good only under the same; besides all that is known here.
  std::string terms;
};

// Which of the settings was refused, and why, in the words of OpenSSL.
struct Refusal {
  const char* setting = nullptr;
  std::string reason;
};

// For the end of a failed step: always false.
bool refuse(Refusal& refusal, const char* setting);
bool refuse(Refusal& refusal, const char* setting, const char* reason);

}  // namespace sock::tls
