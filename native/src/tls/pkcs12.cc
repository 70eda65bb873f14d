#include "tls/pkcs12.h"

#include <memory>

namespace sock::tls {

namespace {

struct Pkcs12Freer {
  void operator()(PKCS12* file) const { PKCS12_free(file); }
  void operator()(STACK_OF(X509) * certificates) const {
    sk_X509_pop_free(certificates, X509_free);
  }
};

std::string text_of(BIO* memory) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  return {text, static_cast<size_t>(size)};
}

}  // namespace

std::optional<Identity> read_pkcs12(const std::string& file, const std::string& passphrase,
                                    Refusal& refusal) {
  const ErrorScope errors;
  const auto* at = reinterpret_cast<const unsigned char*>(file.data());
  const std::unique_ptr<PKCS12, Pkcs12Freer> parsed(
      d2i_PKCS12(nullptr, &at, static_cast<long>(file.size())));
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* others = nullptr;
  if (parsed == nullptr ||
      PKCS12_parse(parsed.get(), passphrase.c_str(), &key, &certificate, &others) != 1) {
    refuse(refusal, "pkcs12");
    return std::nullopt;
  }
  const KeyPtr key_owner(key);
  const CertificatePtr certificate_owner(certificate);
  const std::unique_ptr<STACK_OF(X509), Pkcs12Freer> others_owner(others);
  if (key == nullptr || certificate == nullptr) {
    refuse(refusal, "pkcs12", "no certificate with its key in it");
    return std::nullopt;
  }
  const BioPtr chain(BIO_new(BIO_s_mem()));
  const BioPtr secret(BIO_new(BIO_s_secmem()));
  PEM_write_bio_X509(chain.get(), certificate);
  for (int i = 0; i < sk_X509_num(others); i++) {
    PEM_write_bio_X509(chain.get(), sk_X509_value(others, i));
  }
  PEM_write_bio_PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return Identity{"", text_of(chain.get()), text_of(secret.get()), "", ""};
}

}  // namespace sock::tls
