#include "tls/trust.h"

#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include "tls/pem.h"

namespace sock::tls {

namespace {

bool add_authorities(X509_STORE* store, const std::vector<std::string>& texts, Refusal& refusal) {
  for (const std::string& text : texts) {
    const std::vector<CertificatePtr> certificates = read_certificates(text);
    if (certificates.empty()) return refuse(refusal, "ca", "no certificate in it");
    for (const CertificatePtr& certificate : certificates) {
      if (X509_STORE_add_cert(store, certificate.get()) != 1) return refuse(refusal, "ca");
    }
  }
  return true;
}

bool add_roots(X509_STORE* store, const SystemRoots& roots, Refusal& refusal) {
  if (!add_authorities(store, roots.texts, refusal)) return false;
  for (const std::string& path : roots.files) {
    if (X509_STORE_load_file(store, path.c_str()) != 1) return refuse(refusal, "ca");
  }
  for (const std::string& path : roots.directories) {
    if (X509_STORE_load_path(store, path.c_str()) != 1) return refuse(refusal, "ca");
  }
  return true;
}

bool add_revocations(X509_STORE* store, const Settings& settings, Refusal& refusal) {
  if (settings.revocations.empty()) return true;
  for (const std::string& text : settings.revocations) {
    const BioPtr reader = reader_of(text);
    size_t count = 0;
    while (reader != nullptr) {
      const RevocationsPtr list(PEM_read_bio_X509_CRL(reader.get(), nullptr, nullptr, nullptr));
      if (list == nullptr) break;
      if (X509_STORE_add_crl(store, list.get()) != 1) return refuse(refusal, "crl");
      count++;
    }
    if (count == 0) return refuse(refusal, "crl", "no revocation list in it");
  }
  const unsigned long all = settings.revocation_of_leaf_only ? 0 : X509_V_FLAG_CRL_CHECK_ALL;
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | all);
  return true;
}

StorePtr another(const StorePtr& store) {
  X509_STORE_up_ref(store.get());
  return StorePtr(store.get());
}

// The system's authorities as they were read last, for all threads.
class SharedRoots {
 public:
  StorePtr get(const SystemRoots& roots, Refusal& refusal) {
    const std::lock_guard<std::mutex> guard(mutex_);
    std::vector<std::string> origin = origin_of(roots);
    if (store_ != nullptr && origin == origin_) return another(store_);
    StorePtr store(X509_STORE_new());
    if (!add_roots(store.get(), roots, refusal)) return nullptr;
    store_ = std::move(store);
    origin_ = std::move(origin);
    return another(store_);
  }

 private:
  // What they were read from. Systems replace the file while we run.
  static std::vector<std::string> origin_of(const SystemRoots& roots) {
    std::vector<std::string> origin = roots.texts;
    for (const std::string& path : roots.files) {
      std::error_code ignored;
      const auto changed = std::filesystem::last_write_time(path, ignored);
      // Its ticks have 128 bits on some systems.
      const auto ticks = static_cast<int64_t>(changed.time_since_epoch().count());
      origin.push_back(path + ' ' + std::to_string(ticks));
    }
    origin.insert(origin.end(), roots.directories.begin(), roots.directories.end());
    return origin;
  }

  std::mutex mutex_;
  StorePtr store_;
  std::vector<std::string> origin_;
};

SharedRoots& shared_roots() {
  // Never destroyed: threads of workers may outlive the main one's statics.
  static auto* const roots = new SharedRoots;
  return *roots;
}

}  // namespace

StorePtr make_store(const Settings& settings, Refusal& refusal) {
  const ErrorScope errors;
  const SystemRoots& roots = settings.system_roots;
  if (settings.authorities.empty() && settings.revocations.empty() && !roots.empty()) {
    return shared_roots().get(roots, refusal);
  }
  StorePtr store(X509_STORE_new());
  const bool made = add_authorities(store.get(), settings.authorities, refusal) &&
                    add_roots(store.get(), roots, refusal) &&
                    add_revocations(store.get(), settings, refusal);
  return made ? std::move(store) : nullptr;
}

}  // namespace sock::tls
