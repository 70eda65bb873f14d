// The OpenSSL that the process has, which is Node's: never one of our own. Its functions are weak,
// so that the addon loads where there is none; available() asks before anything is called.
#pragma once

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "tls/openssl_weak.h"

namespace sock::tls {

bool available();

struct Freer {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509_CRL* list) const { X509_CRL_free(list); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

using BioPtr = std::unique_ptr<BIO, Freer>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer>;
using CertificatePtr = std::unique_ptr<X509, Freer>;
using StorePtr = std::unique_ptr<X509_STORE, Freer>;
using RevocationsPtr = std::unique_ptr<X509_CRL, Freer>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Freer>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Freer>;
using SslPtr = std::unique_ptr<SSL, Freer>;

// The queue of errors is shared with Node, on this thread. A leftover in it would make
// SSL_get_error(3) tell of a failure where there is none, so it is emptied before our calls and
// after them: whoever wants to know of an error looks right after the call.
class ErrorScope {
 public:
  ErrorScope() { empty(); }
  ~ErrorScope() { empty(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;

 private:
  // ERR_clear_error(3) goes through all sixteen entries, which is too much to ask for each record
  // where there is none.
  static void empty() {
    if (ERR_peek_error() != 0) ERR_clear_error();
  }
};

// Why the last call failed, in the words of OpenSSL.
std::string last_reason();

}  // namespace sock::tls
