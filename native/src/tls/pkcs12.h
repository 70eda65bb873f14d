// A certificate, its chain and its key in one file (PKCS#12, RFC 7292).
#pragma once

#include <optional>
#include <string>

#include "tls/settings.h"

namespace sock::tls {

// As PEM text, the key in the clear. Nothing when the file was refused.
std::optional<Identity> read_pkcs12(const std::string& file, const std::string& passphrase,
                                    Refusal& refusal);

}  // namespace sock::tls
