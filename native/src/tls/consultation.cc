#include "tls/consultation.h"

#include <span>

namespace sock::tls {

namespace {

using Octets = std::span<const unsigned char>;

Octets extension_of(SSL* ssl, unsigned int type) {
  const unsigned char* data = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, type, &data, &size) != 1) return {};
  return {data, size};
}

// Takes a part with its length in front (RFC 8446, 3.4); empty when it is not all there.
Octets take_part(Octets& from, size_t length_size) {
  if (from.size() < length_size) return {};
  size_t length = 0;
  for (size_t i = 0; i < length_size; i++) length = length << 8 | from[i];
  from = from.subspan(length_size);
  if (from.size() < length) return {};
  const Octets part = from.first(length);
  from = from.subspan(length);
  return part;
}

std::string to_text(Octets octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

// RFC 6066, 3: a list of names, each with a kind, of which there is one.
std::string hostname_in(Octets extension) {
  Octets names = take_part(extension, 2);
  if (names.empty() || names.front() != TLSEXT_NAMETYPE_host_name) return "";
  names = names.subspan(1);
  return to_text(take_part(names, 2));
}

}  // namespace

Consultation& Consultation::of(SSL* ssl) {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* made, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<Consultation*>(made);
      });
  auto* found = static_cast<Consultation*>(SSL_get_ex_data(ssl, index));
  if (found == nullptr) {
    found = new Consultation;
    SSL_set_ex_data(ssl, index, found);
  }
  return *found;
}

void note_hello(SSL* ssl, Consultation& consultation) {
  consultation.is_asked = true;
  consultation.hostname = hostname_in(extension_of(ssl, TLSEXT_TYPE_server_name));
  Octets protocols = extension_of(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation);
  consultation.offered = to_text(take_part(protocols, 2));
  consultation.wants_staple = !extension_of(ssl, TLSEXT_TYPE_status_request).empty();
}

}  // namespace sock::tls
