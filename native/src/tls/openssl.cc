#include "tls/openssl.h"

namespace sock::tls {

std::string last_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

bool available() {
  return &OPENSSL_init_ssl != nullptr;
}

}  // namespace sock::tls
