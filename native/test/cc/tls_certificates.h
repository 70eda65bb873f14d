// Certificates for tests of TLS.
#pragma once

#include <string>

#include "tls/openssl.h"

namespace sock::test {

struct Certified {
  tls::CertificatePtr certificate;
  tls::KeyPtr key;
};

// What a certificate may be used for.
enum class Use { kAuthority, kServer, kOcspSigning };

// A key and its certificate for `localhost`, signed by the issuer, or by itself.
Certified certify(Use use, const Certified* issuer = nullptr, const char* curve = "P-256");

std::string pem_of(X509* certificate);
std::string pem_of(EVP_PKEY* key);

}  // namespace sock::test
