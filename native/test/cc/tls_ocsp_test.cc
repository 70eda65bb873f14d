#include "tls/ocsp.h"

#include <ctime>
#include <memory>
#include <string>

#include "support.h"
#include "tls_certificates.h"

namespace sock::tls {

using test::Certified;
using test::certify;
using test::Use;

namespace {

constexpr long kDayS = 86'400;

struct StackFreer {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};

// What a response says.
struct Wishes {
  int status = V_OCSP_CERTSTATUS_GOOD;
  long from_s = -kDayS;
  long until_s = kDayS;
  bool has_end = true;
  const EVP_MD* digest = EVP_sha1();
  const Certified* signer = nullptr;  // null: the authority
  const Certified* about = nullptr;   // null: the server
};

// An authority, and a server that it has certified.
struct Setting {
  Certified authority = certify(Use::kAuthority);
  Certified server = certify(Use::kServer, &authority);
  StorePtr trusted{X509_STORE_new()};
  std::unique_ptr<STACK_OF(X509), StackFreer> chain{sk_X509_new_null()};

  Setting() {
    X509_STORE_add_cert(trusted.get(), authority.certificate.get());
    sk_X509_push(chain.get(), server.certificate.get());
    sk_X509_push(chain.get(), authority.certificate.get());
  }

  std::string respond(const Wishes& wishes) const {
    OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
    const Certified& about = wishes.about == nullptr ? server : *wishes.about;
    OCSP_CERTID* id =
        OCSP_cert_to_id(wishes.digest, about.certificate.get(), authority.certificate.get());
    ASN1_TIME* from = X509_gmtime_adj(nullptr, wishes.from_s);
    ASN1_TIME* until = X509_gmtime_adj(nullptr, wishes.until_s);
    ASN1_TIME* revoked = X509_gmtime_adj(nullptr, -2 * kDayS);
    OCSP_basic_add1_status(basic, id, wishes.status, OCSP_REVOKED_STATUS_KEYCOMPROMISE, revoked,
                           from, wishes.has_end ? until : nullptr);
    const Certified& signer = wishes.signer == nullptr ? authority : *wishes.signer;
    REQUIRE(OCSP_basic_sign(basic, signer.certificate.get(), signer.key.get(), EVP_sha256(),
                            nullptr, 0) == 1);
    OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    const std::string der = to_der(response);
    OCSP_RESPONSE_free(response);
    for (ASN1_TIME* time : {from, until, revoked}) ASN1_TIME_free(time);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    return der;
  }

  static std::string to_der(const OCSP_RESPONSE* response) {
    std::string der(static_cast<size_t>(i2d_OCSP_RESPONSE(response, nullptr)), '\0');
    auto* at = reinterpret_cast<unsigned char*>(der.data());
    i2d_OCSP_RESPONSE(response, &at);
    return der;
  }

  OcspStatus check(const std::string& der) const {
    return check_response(der, chain.get(), trusted.get());
  }
  OcspStatus verdict(const Wishes& wishes) const { return check(respond(wishes)); }
};

}  // namespace

TEST_CASE("a response says what the authority says of the certificate") {
  const Setting setting;
  CHECK(setting.check("") == OcspStatus::kAbsent);
  CHECK(setting.verdict({.status = V_OCSP_CERTSTATUS_GOOD}) == OcspStatus::kGood);
  CHECK(setting.verdict({.status = V_OCSP_CERTSTATUS_REVOKED}) == OcspStatus::kRevoked);
  CHECK(setting.verdict({.status = V_OCSP_CERTSTATUS_UNKNOWN}) == OcspStatus::kUnknown);
  CHECK(setting.verdict({.digest = EVP_sha256()}) == OcspStatus::kGood);
}

TEST_CASE("a response is signed by the authority, or by whom it has named for that") {
  const Setting setting;
  const Certified named = certify(Use::kOcspSigning, &setting.authority);
  CHECK(setting.verdict({.signer = &named}) == OcspStatus::kGood);
  // Certified by the same authority, for something else: any of its customers could say so.
  const Certified unnamed = certify(Use::kServer, &setting.authority);
  CHECK(setting.verdict({.signer = &unnamed}) == OcspStatus::kInvalid);
  const Certified stranger = certify(Use::kAuthority);
  CHECK(setting.verdict({.signer = &stranger}) == OcspStatus::kInvalid);
  const Certified of_stranger = certify(Use::kOcspSigning, &stranger);
  CHECK(setting.verdict({.signer = &of_stranger}) == OcspStatus::kInvalid);
  // One that is trusted for other certificates has no say here.
  X509_STORE_add_cert(setting.trusted.get(), stranger.certificate.get());
  CHECK(setting.verdict({.signer = &stranger}) == OcspStatus::kInvalid);
  CHECK(setting.verdict({.signer = &of_stranger}) == OcspStatus::kInvalid);
}

TEST_CASE("a response holds for its time, give or take five minutes") {
  const Setting setting;
  CHECK(setting.verdict({.from_s = 200}) == OcspStatus::kGood);
  CHECK(setting.verdict({.from_s = 400}) == OcspStatus::kInvalid);
  CHECK(setting.verdict({.until_s = -200}) == OcspStatus::kGood);
  CHECK(setting.verdict({.until_s = -400}) == OcspStatus::kInvalid);
  CHECK(setting.verdict({.status = V_OCSP_CERTSTATUS_REVOKED, .until_s = -400}) ==
        OcspStatus::kInvalid);
  // Without an end it is taken for a day.
  CHECK(setting.verdict({.from_s = -kDayS + 100, .has_end = false}) == OcspStatus::kGood);
  CHECK(setting.verdict({.from_s = -kDayS - 400, .has_end = false}) == OcspStatus::kInvalid);
}

TEST_CASE("a response about another certificate says nothing") {
  const Setting setting;
  const Certified other = certify(Use::kServer, &setting.authority);
  CHECK(setting.verdict({.about = &other}) == OcspStatus::kInvalid);
}

TEST_CASE("a response that was altered, cut off or is none at all is invalid") {
  const Setting setting;
  const std::string revoked = setting.respond({.status = V_OCSP_CERTSTATUS_REVOKED});
  REQUIRE(setting.check(revoked) == OcspStatus::kRevoked);
  for (size_t at = 0; at < revoked.size(); at++) {
    CAPTURE(at);
    std::string altered = revoked;
    altered[at] = static_cast<char>(altered[at] ^ 0x10);
    const OcspStatus status = setting.check(altered);
    // What is around that which was signed may be altered to no effect.
    CHECK((status == OcspStatus::kInvalid || status == OcspStatus::kRevoked));
    if (at > 0) CHECK(setting.check(revoked.substr(0, at)) == OcspStatus::kInvalid);
  }
  OCSP_RESPONSE* later = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, nullptr);
  CHECK(setting.check(Setting::to_der(later)) == OcspStatus::kInvalid);
  CHECK_FALSE(end_of(Setting::to_der(later)).has_value());
  OCSP_RESPONSE_free(later);
}

TEST_CASE("a response may be shown until its end, or for a day where it names none") {
  const Setting setting;
  const auto end = end_of(setting.respond({}));
  const auto without = end_of(setting.respond({.has_end = false}));
  REQUIRE(end.has_value());
  REQUIRE(without.has_value());
  const int64_t now = std::time(nullptr);
  CHECK(*end > now + kDayS - 60);
  CHECK(*end <= now + kDayS);
  CHECK(*without > now - 60);
  CHECK(*without <= now);
  CHECK_FALSE(end_of("nonsense").has_value());
}

}  // namespace sock::tls
