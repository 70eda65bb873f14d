#include "tls_certificates.h"

#include <openssl/ec.h>

#include "support.h"

namespace sock::test {

namespace {

void add_extension(X509* to, int what, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value);
  REQUIRE(extension != nullptr);
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string text_of(BIO* memory) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  return {text, static_cast<size_t>(size)};
}

}  // namespace

Certified certify(Use use, const Certified* issuer, const char* curve) {
  static int serials = 1;
  Certified made{tls::CertificatePtr(X509_new()), tls::KeyPtr(EVP_EC_gen(curve))};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serials++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -86'400);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_NAME* name = X509_get_subject_name(certificate);
  const std::string common =
      use == Use::kServer ? "localhost" : "signer " + std::to_string(serials);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate,
                       issuer == nullptr ? name : X509_get_subject_name(issuer->certificate.get()));
  X509_set_pubkey(certificate, made.key.get());
  if (use == Use::kAuthority) add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  if (use == Use::kOcspSigning) add_extension(certificate, NID_ext_key_usage, "OCSPSigning");
  EVP_PKEY* signer = issuer == nullptr ? made.key.get() : issuer->key.get();
  REQUIRE(X509_sign(certificate, signer, EVP_sha256()) > 0);
  return made;
}

std::string pem_of(X509* certificate) {
  const tls::BioPtr memory(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_X509(memory.get(), certificate) == 1);
  return text_of(memory.get());
}

std::string pem_of(EVP_PKEY* key) {
  const tls::BioPtr memory(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(memory.get());
}

}  // namespace sock::test
