#include "tls/context.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "tls/consultation.h"
#include "tls/pem.h"
#include "tls/trust.h"

namespace sock::tls {

namespace {

// Without what has no forward secrecy, no encryption or no authentication.
constexpr const char* kCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!eNULL:!PSK:!SRP:!DSS";
constexpr const char* kCipherSuites =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
constexpr int kTicketIvSize = 16;
// 112 bits and more: no RSA below 2048, no SHA-1 in signatures. Node 20 begins with 1.
constexpr int kSecurityLevel = 2;

// OpenSSL would ask on the terminal if there was no callback.
int give_passphrase(char* out, int room, int /*writing*/, void* passphrase) {
  const auto& text = *static_cast<const std::string*>(passphrase);
  if (text.empty() || text.size() > static_cast<size_t>(room)) return -1;
  std::copy(text.begin(), text.end(), out);
  return static_cast<int>(text.size());
}

bool use_identity(SSL_CTX* context, const Identity& identity, Refusal& refusal) {
  const ErrorScope errors;
  std::vector<CertificatePtr> chain = read_certificates(identity.chain);
  if (chain.empty()) return refuse(refusal, "cert", "no certificate in it");
  const BioPtr reader = reader_of(identity.key);
  auto* passphrase = const_cast<std::string*>(&identity.passphrase);
  const KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, give_passphrase, passphrase));
  if (key == nullptr) return refuse(refusal, "key");
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) return refuse(refusal, "cert");
  for (size_t i = 1; i < chain.size(); i++) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return refuse(refusal, "cert");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return refuse(refusal, "key");
  if (SSL_CTX_check_private_key(context) != 1) return refuse(refusal, "key");
  return true;
}

// Those that OpenSSL has written by hand for each processor: tens of microseconds. All others take
// up to several milliseconds.
bool signs_quickly(const EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return true;
  std::array<char, 32> curve{};
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, curve.data(), curve.size(), nullptr) == 1 &&
         std::string_view(curve.data()) == "prime256v1";
}

SessionScope session_scope_of(const Settings& settings) {
  std::string terms = std::to_string(settings.verify_mode) + settings.terms +
                      (settings.requests_status ? 'r' : '-') +
                      (settings.requires_status ? 'R' : '-') + ';';
  const SystemRoots& roots = settings.system_roots;
  for (const auto* list : {&settings.authorities, &settings.revocations, &roots.texts, &roots.files,
                           &roots.directories}) {
    for (const std::string& text : *list) terms += std::to_string(text.size()) + ':' + text;
    terms += ';';
  }
  SessionScope scope{};
  static_assert(sizeof(scope) == 32, "the size of SHA-256");
  EVP_Digest(terms.data(), terms.size(), scope.data(), nullptr, EVP_sha256(), nullptr);
  return scope;
}

long problem_of(OcspStatus status, bool is_required) {
  switch (status) {
    case OcspStatus::kRevoked:
      return X509_V_ERR_CERT_REVOKED;
    case OcspStatus::kUnknown:
      return X509_V_ERR_OCSP_CERT_UNKNOWN;
    case OcspStatus::kInvalid:
      return X509_V_ERR_OCSP_VERIFY_FAILED;
    case OcspStatus::kAbsent:
      return is_required ? X509_V_ERR_OCSP_VERIFY_NEEDED : X509_V_OK;
    case OcspStatus::kGood:
      break;
  }
  return X509_V_OK;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

}  // namespace

std::shared_ptr<const Context> Context::create(const Settings& settings, Refusal& refusal) {
  std::shared_ptr<Context> context(new Context(settings.role));
  return context->load(settings, refusal) ? context : nullptr;
}

SslContextPtr Context::make(const Settings& settings, Refusal& refusal) {
  const bool is_server = settings.role == Role::kServer;
  SslContextPtr made(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* context = made.get();
  if (context == nullptr) {
    refuse(refusal, "role");
    return nullptr;
  }
  SSL_CTX_set_security_level(context, kSecurityLevel);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Buffers are there only while bytes are in them: an idle connection has none.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_verify(context, settings.verify_mode, nullptr);
  if (settings.asks_verdict) SSL_CTX_set_cert_verify_callback(context, on_certificate, this);
  if (settings.logs_secrets) SSL_CTX_set_keylog_callback(context, on_secret);
  if (settings.requests_status) {
    SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(context, on_status);
    SSL_CTX_set_tlsext_status_arg(context, this);
  }
  if (is_server) {
    if (asks_protocol_ || asks_staple_) SSL_CTX_set_client_hello_cb(context, on_hello, this);
    SSL_CTX_set_tlsext_status_cb(context, on_status_request);
    SSL_CTX_set_tlsext_status_arg(context, this);
    // So that it says whose certificates it takes.
    for (const std::string& text : settings.authorities) {
      for (const CertificatePtr& authority : read_certificates(text)) {
        SSL_CTX_add_client_CA(context, authority.get());
      }
    }
    // A ticket is all that a server keeps of a session: none of its memory.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    // OpenSSL asks the context of the name, where there is one of its own.
    if (!settings.protocols.empty() || asks_protocol_) {
      SSL_CTX_set_alpn_select_cb(context, on_protocols, this);
    }
    if (!settings.ticket_keys.empty()) SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
  }
  SSL_CTX_set_timeout(context, static_cast<long>(settings.session_life_s));
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_session_id_context(context, session_scope_.data(),
                                 static_cast<unsigned>(session_scope_.size()));
  if (SSL_CTX_set_min_proto_version(context, settings.version_min) != 1) {
    refuse(refusal, "minProtocol");
  } else if (SSL_CTX_set_max_proto_version(context, settings.version_max) != 1) {
    refuse(refusal, "maxProtocol");
  } else if (SSL_CTX_set_cipher_list(
                 context, settings.ciphers.empty() ? kCiphers : settings.ciphers.c_str()) != 1) {
    refuse(refusal, "ciphers");
  } else if (SSL_CTX_set_ciphersuites(context, settings.cipher_suites.empty()
                                                   ? kCipherSuites
                                                   : settings.cipher_suites.c_str()) != 1) {
    refuse(refusal, "cipherSuites");
  } else {
    SSL_CTX_set1_cert_store(context, trusted_.get());
    return made;
  }
  return nullptr;
}

bool Context::load(const Settings& settings, Refusal& refusal) {
  const ErrorScope errors;
  ticket_keys_ = settings.ticket_keys;
  session_scope_ = session_scope_of(settings);
  protocols_ = settings.protocols;
  verifies_ = settings.verify_mode != SSL_VERIFY_NONE;
  asks_protocol_ = settings.asks_protocol;
  asks_staple_ = settings.asks_staple;
  asks_verdict_ = settings.asks_verdict;
  requires_status_ = settings.requires_status;
  trusted_ = make_store(settings, refusal);
  if (trusted_ == nullptr) return false;
  is_slow_ = settings.verify_mode != SSL_VERIFY_NONE;
  context_ = make(settings, refusal);
  if (context_ == nullptr || !add_identities(settings, refusal)) return false;
  if (protocols_.empty() || role_ == Role::kServer) return true;
  const auto* wire = reinterpret_cast<const unsigned char*>(protocols_.data());
  // Unlike all others this one says 0 for success.
  if (SSL_CTX_set_alpn_protos(context_.get(), wire, static_cast<unsigned>(protocols_.size())) !=
      0) {
    return refuse(refusal, "alpn");
  }
  return true;
}

bool Context::add_identity(SSL_CTX* context, const Identity& identity, Refusal& refusal) {
  if (!use_identity(context, identity, refusal)) return false;
  is_slow_ = is_slow_ || !signs_quickly(SSL_CTX_get0_privatekey(context));
  return true;
}

bool Context::add_identities(const Settings& settings, Refusal& refusal) {
  for (const Identity& identity : settings.identities) {
    if (identity.hostname.empty()) {
      if (!add_identity(context_.get(), identity, refusal)) return false;
      staples_[context_.get()] = identity.staple;
      continue;
    }
    SslContextPtr own = make(settings, refusal);
    if (own == nullptr || !add_identity(own.get(), identity, refusal)) return false;
    staples_[own.get()] = identity.staple;
    by_hostname_[lower(identity.hostname)] = std::move(own);
  }
  if (!by_hostname_.empty()) {
    SSL_CTX_set_tlsext_servername_callback(context_.get(), on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context_.get(), this);
  }
  return true;
}

SSL_CTX* Context::for_hostname(const char* name) const {
  const std::string wanted = lower(name);
  auto found = by_hostname_.find(wanted);
  if (found == by_hostname_.end()) {
    const size_t dot = wanted.find('.');
    if (dot == std::string::npos) return nullptr;
    // A wildcard stands for one label (RFC 9525, 6.3).
    found = by_hostname_.find("*" + wanted.substr(dot));
  }
  return found == by_hostname_.end() ? nullptr : found->second.get();
}

int Context::on_server_name(SSL* ssl, int* /*alert*/, void* self) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* own = static_cast<const Context*>(self)->for_hostname(name);
  if (own != nullptr) SSL_set_SSL_CTX(ssl, own);
  return SSL_TLSEXT_ERR_OK;
}

// 1: go on; 2: the ticket is good, and a new one is due; 0: it is none of ours; -1: failed.
int Context::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int sealing) {
  const auto* self = static_cast<const Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const std::vector<TicketKey>& keys = self->ticket_keys_;
  auto key = keys.begin();
  if (sealing != 0) {
    std::copy(key->name.begin(), key->name.end(), name);
    if (RAND_bytes(iv, kTicketIvSize) != 1) return -1;
  } else {
    key = std::find_if(keys.begin(), keys.end(), [name](const TicketKey& candidate) {
      return std::equal(candidate.name.begin(), candidate.name.end(), name);
    });
    if (key == keys.end()) return 0;
  }
  std::string digest = "SHA256";
  auto* secret = const_cast<unsigned char*>(key->mac.data());
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, key->mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end(),
  };
  if (EVP_MAC_CTX_set_params(mac, parameters) != 1 ||
      EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv, sealing) != 1) {
    return -1;
  }
  return sealing == 0 && key != keys.begin() ? 2 : 1;
}

int Context::on_hello(SSL* ssl, int* /*alert*/, void* self) {
  Consultation& consultation = Consultation::of(ssl);
  if (consultation.is_answered) return SSL_CLIENT_HELLO_SUCCESS;
  note_hello(ssl, consultation);
  const auto& context = *static_cast<const Context*>(self);
  const bool is_asking = (context.asks_protocol_ && !consultation.offered.empty()) ||
                         (context.asks_staple_ && consultation.wants_staple);
  return is_asking ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

int Context::on_protocols(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                          const unsigned char* offered, unsigned int offered_size, void* self) {
  const auto& context = *static_cast<const Context*>(self);
  // An answer that the client did not offer will not be found.
  const std::string& ours =
      context.asks_protocol_ ? Consultation::of(ssl).protocol : context.protocols_;
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(
      &found, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned>(ours.size()), offered, offered_size);
  // RFC 7301, 3.2: a server that supports none of them says so, and that is the end.
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int Context::on_status_request(SSL* ssl, void* self) {
  const auto& context = *static_cast<const Context*>(self);
  const std::string* staple = &Consultation::of(ssl).staple;
  if (staple->empty()) {
    const auto found = context.staples_.find(SSL_get_SSL_CTX(ssl));
    if (found == context.staples_.end() || found->second.empty()) return SSL_TLSEXT_ERR_NOACK;
    staple = &found->second;
  }
  void* given = OPENSSL_memdup(staple->data(), staple->size());
  if (given == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  SSL_set_tlsext_status_ocsp_resp(ssl, given, static_cast<long>(staple->size()));
  return SSL_TLSEXT_ERR_OK;
}

int Context::on_status(SSL* ssl, void* self) {
  // No certificate was sent, so nothing is said of one: the session stands for what was.
  if (SSL_session_reused(ssl) == 1) return 1;
  const auto& context = *static_cast<const Context*>(self);
  const unsigned char* data = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &data);
  const std::string response(reinterpret_cast<const char*>(data),
                             size > 0 ? static_cast<size_t>(size) : 0);
  STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  const OcspStatus status = check_response(response, chain, context.trusted_.get());
  Consultation::of(ssl).status = status;
  if (!context.verifies_) return 1;
  const bool is_required = context.requires_status_ || must_staple(SSL_get0_peer_certificate(ssl));
  const long problem = problem_of(status, is_required);
  if (problem == X509_V_OK) return 1;
  if (!context.asks_verdict_) {
    SSL_set_verify_result(ssl, problem);
    return 0;
  }
  if (SSL_get_verify_result(ssl) == X509_V_OK) SSL_set_verify_result(ssl, problem);
  return 1;
}

int Context::on_certificate(X509_STORE_CTX* verification, void* /*self*/) {
  X509_verify_cert(verification);
  // The error stays where users will find it.
  return 1;
}

void Context::on_secret(const SSL* ssl, const char* line) {
  Consultation::of(const_cast<SSL*>(ssl)).secrets.emplace_back(line);
}

}  // namespace sock::tls
