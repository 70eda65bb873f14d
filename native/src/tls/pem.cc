#include "tls/pem.h"

namespace sock::tls {

BioPtr reader_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::vector<CertificatePtr> read_certificates(const std::string& text) {
  std::vector<CertificatePtr> certificates;
  const BioPtr reader = reader_of(text);
  while (reader != nullptr) {
    CertificatePtr next(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  return certificates;
}

}  // namespace sock::tls
