#include "tls/ocsp.h"

#include <ctime>
#include <memory>

namespace sock::tls {

namespace {

// Clocks differ.
constexpr long kSkewS = 300;
// A response that does not say until when it holds is taken for a day.
constexpr long kAgeMaxS = 24 * 3'600;

struct OcspFreer {
  void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
  void operator()(OCSP_BASICRESP* basic) const { OCSP_BASICRESP_free(basic); }
  void operator()(OCSP_CERTID* id) const { OCSP_CERTID_free(id); }
  void operator()(TLS_FEATURE* features) const { TLS_FEATURE_free(features); }
};
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, OcspFreer>;

// What was signed; null where it is none, or the responder had nothing to say.
BasicPtr read_response(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<OCSP_RESPONSE, OcspFreer> response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (response == nullptr ||
      OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return nullptr;
  }
  return BasicPtr(OCSP_response_get1_basic(response.get()));
}

// Whether the entry is about this certificate. Each names it by digests of its own choice.
bool is_about(const OCSP_SINGLERESP* single, const X509* certificate, const X509* issuer) {
  const OCSP_CERTID* theirs = OCSP_SINGLERESP_get0_id(single);
  ASN1_OBJECT* algorithm = nullptr;
  OCSP_id_get0_info(nullptr, &algorithm, nullptr, nullptr, const_cast<OCSP_CERTID*>(theirs));
  const EVP_MD* digest = EVP_get_digestbyname(OBJ_nid2sn(OBJ_obj2nid(algorithm)));
  if (digest == nullptr) return false;
  const std::unique_ptr<OCSP_CERTID, OcspFreer> ours(OCSP_cert_to_id(digest, certificate, issuer));
  return ours != nullptr && OCSP_id_cmp(ours.get(), theirs) == 0;
}

OcspStatus status_in(OCSP_SINGLERESP* single) {
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  const int status = OCSP_single_get0_status(single, nullptr, nullptr, &from, &until);
  if (OCSP_check_validity(from, until, kSkewS, until == nullptr ? kAgeMaxS : -1) != 1) {
    return OcspStatus::kInvalid;
  }
  if (status == V_OCSP_CERTSTATUS_GOOD) return OcspStatus::kGood;
  if (status == V_OCSP_CERTSTATUS_REVOKED) return OcspStatus::kRevoked;
  return status == V_OCSP_CERTSTATUS_UNKNOWN ? OcspStatus::kUnknown : OcspStatus::kInvalid;
}

std::optional<int64_t> to_seconds(const ASN1_GENERALIZEDTIME* time) {
  std::tm broken{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &broken) != 1) return std::nullopt;
  return static_cast<int64_t>(::timegm(&broken));
}

}  // namespace

std::optional<int64_t> end_of(const std::string& der) {
  const ErrorScope errors;
  const BasicPtr basic = read_response(der);
  OCSP_SINGLERESP* first = basic == nullptr ? nullptr : OCSP_resp_get0(basic.get(), 0);
  if (first == nullptr) return std::nullopt;
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  OCSP_single_get0_status(first, nullptr, nullptr, &from, &until);
  const std::optional<int64_t> named = to_seconds(until);
  const std::optional<int64_t> begin = to_seconds(from);
  if (named.has_value() || !begin.has_value()) return named;
  return *begin + kAgeMaxS;
}

OcspStatus check_response(const std::string& der, STACK_OF(X509) * chain, X509_STORE* trusted) {
  if (der.empty()) return OcspStatus::kAbsent;
  const BasicPtr basic = read_response(der);
  if (basic == nullptr || sk_X509_num(chain) < 1) return OcspStatus::kInvalid;
  // The issuer itself may have signed, or a responder that it has named: who else is refused here.
  if (OCSP_basic_verify(basic.get(), chain, trusted, 0) != 1) return OcspStatus::kInvalid;
  const X509* certificate = sk_X509_value(chain, 0);
  // One that is trusted by itself is its own issuer.
  const X509* issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : certificate;
  for (int i = 0; i < OCSP_resp_count(basic.get()); i++) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), i);
    if (is_about(single, certificate, issuer)) return status_in(single);
  }
  return OcspStatus::kInvalid;
}

bool must_staple(const X509* certificate) {
  if (certificate == nullptr) return false;
  const std::unique_ptr<TLS_FEATURE, OcspFreer> features(
      static_cast<TLS_FEATURE*>(X509_get_ext_d2i(certificate, NID_tlsfeature, nullptr, nullptr)));
  for (int i = 0; features != nullptr && i < sk_ASN1_INTEGER_num(features.get()); i++) {
    const long feature = ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), i));
    if (feature == TLSEXT_TYPE_status_request) return true;
  }
  return false;
}

}  // namespace sock::tls
