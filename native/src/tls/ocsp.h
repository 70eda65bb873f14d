// What an authority's responder says of a certificate (OCSP, RFC 6960), as servers staple it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tls/openssl.h"

namespace sock::tls {

// Numbers are mirrored in packages/tls/src/ocsp.ts.
enum class OcspStatus : int32_t {
  kAbsent,   // there is no response
  kGood,     // not revoked
  kRevoked,  // revoked
  kUnknown,  // the responder does not know the certificate
  kInvalid,  // not a response that says anything of this certificate now
};

// Until when a response may be shown, in seconds since 1970: its own end, or, where it names none,
// that of the time for which it is taken. Of the first certificate that it is about; nothing when
// it is no response, or one that failed.
std::optional<int64_t> end_of(const std::string& der);

// Checks a response in full: its signature, the right of whoever made it, its times, and that it is
// about this certificate. `chain` begins with the certificate and its issuer.
OcspStatus check_response(const std::string& der, STACK_OF(X509) * chain, X509_STORE* trusted);

// Whether the certificate says that its server always shows a response (RFC 7633).
bool must_staple(const X509* certificate);

}  // namespace sock::tls
