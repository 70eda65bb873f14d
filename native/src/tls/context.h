// What connections are made with: certificates, trust and versions. Immutable: a change is a new
// context, and connections keep the one that they began with.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
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
};

// What session tickets are sealed with, in three parts as OpenSSL has them: name, HMAC, AES.
constexpr size_t kTicketNameSize = 16;
constexpr size_t kTicketSecretSize = 32;
struct TicketKey {
  std::array<unsigned char, kTicketNameSize> name;
  std::array<unsigned char, kTicketSecretSize> mac;
  std::array<unsigned char, kTicketSecretSize> cipher;
};
constexpr size_t kTicketKeySize = sizeof(TicketKey);
static_assert(kTicketKeySize == 80);

struct Settings {
  Role role = Role::kServer;
  std::vector<Identity> identities;
  std::vector<std::string> authorities;      // PEM text
  std::vector<std::string> authority_files;  // paths of PEM files
  std::vector<std::string> revocations;      // lists of authorities (CRL), PEM text
  bool revocation_of_leaf_only = false;      // else each certificate but the root needs a list
  int verify_mode = 0;                       // SSL_VERIFY_* of <openssl/ssl.h>
  int version_min = 0;
  int version_max = 0;
  std::string ciphers;        // up to TLS 1.2; empty: our list
  std::string cipher_suites;  // of TLS 1.3; empty: our list
  // Of session tickets, the one in use first; none: OpenSSL's own.
  std::vector<TicketKey> ticket_keys;
  uint32_t session_life_s = 300;
  std::string protocols;  // ALPN, as on the wire (RFC 7301, 3.1), the best first
};

// A session stands for the verdict on a certificate, so it is good only where that verdict would be
// the same: under the same authorities, revocations and mode.
using SessionScope = std::array<unsigned char, SSL_MAX_SID_CTX_LENGTH>;

// Which of the settings was refused, and why, in the words of OpenSSL.
struct Refusal {
  const char* setting = nullptr;
  std::string reason;
};

class Context {
 public:
  // Null when a setting is refused.
  static std::shared_ptr<const Context> create(const Settings& settings, Refusal& refusal);

  Role role() const { return role_; }
  SSL_CTX* get() const { return context_.get(); }
  const SessionScope& session_scope() const { return session_scope_; }

 private:
  explicit Context(Role role) : role_(role) {}

  bool load(const Settings& settings, Refusal& refusal);
  bool add_identities(const Settings& settings, Refusal& refusal);
  SslContextPtr make(const Settings& settings, Refusal& refusal);
  SSL_CTX* for_hostname(const char* name) const;

  static int on_server_name(SSL* ssl, int* alert, void* self);
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int sealing);
  static int on_protocols(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                          const unsigned char* offered, unsigned int offered_size, void* self);

  Role role_;
  SslContextPtr context_;
  std::unordered_map<std::string, SslContextPtr> by_hostname_;  // lower case, "*.example" too
  std::string protocols_;
  std::vector<TicketKey> ticket_keys_;
  SessionScope session_scope_{};
};

}  // namespace sock::tls
