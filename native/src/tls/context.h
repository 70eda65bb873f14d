// What connections are made with: certificates, trust and versions. Immutable: a change is a new
// context, and connections keep the one that they began with.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tls/openssl.h"
#include "tls/settings.h"

namespace sock::tls {

// A session stands for the verdict on a certificate, so it is good only where that verdict would be
// the same: under the same authorities, revocations and mode.
using SessionScope = std::array<unsigned char, SSL_MAX_SID_CTX_LENGTH>;

class Context {
 public:
  // Null when a setting is refused.
  static std::shared_ptr<const Context> create(const Settings& settings, Refusal& refusal);

  Role role() const { return role_; }
  SSL_CTX* get() const { return context_.get(); }
  const SessionScope& session_scope() const { return session_scope_; }
  // Whether a step of a handshake may take longer than an event loop can spare: it signs with a key
  // that is slow, or certificates are verified.
  bool is_slow() const { return is_slow_; }

 private:
  explicit Context(Role role) : role_(role) {}

  bool load(const Settings& settings, Refusal& refusal);
  bool add_identities(const Settings& settings, Refusal& refusal);
  bool add_identity(SSL_CTX* context, const Identity& identity, Refusal& refusal);
  SslContextPtr make(const Settings& settings, Refusal& refusal);
  SSL_CTX* for_hostname(const char* name) const;

  static int on_server_name(SSL* ssl, int* alert, void* self);
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int sealing);
  static int on_hello(SSL* ssl, int* alert, void* self);
  static int on_status_request(SSL* ssl, void* self);  // of servers
  static int on_status(SSL* ssl, void* self);          // of clients
  static int on_certificate(X509_STORE_CTX* verification, void* self);
  static void on_secret(const SSL* ssl, const char* line);
  static int on_protocols(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                          const unsigned char* offered, unsigned int offered_size, void* self);

  Role role_;
  StorePtr trusted_;
  SslContextPtr context_;
  std::unordered_map<std::string, SslContextPtr> by_hostname_;  // lower case, "*.example" too
  std::unordered_map<const SSL_CTX*, std::string> staples_;
  std::string protocols_;
  bool verifies_ = false;
  bool asks_protocol_ = false;
  bool asks_staple_ = false;
  bool asks_verdict_ = false;
  bool requires_status_ = false;
  std::vector<TicketKey> ticket_keys_;
  SessionScope session_scope_{};
  bool is_slow_ = false;
};

}  // namespace sock::tls
