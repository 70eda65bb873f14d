// Certificates as text (RFC 7468).
#pragma once

#include <string>
#include <vector>

#include "tls/openssl.h"

namespace sock::tls {

// Reads from the text, which has to outlive it.
BioPtr reader_of(const std::string& text);

// Those in it, in their order; none where something else comes first.
std::vector<CertificatePtr> read_certificates(const std::string& text);

}  // namespace sock::tls
