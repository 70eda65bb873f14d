#include "tls/engine.h"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace sock::tls {

using sys::IoResult;

namespace {

// The most that a record carries (RFC 8446, 5.1).
constexpr size_t kRecordMax = 16 * 1024;
// A peer that takes nothing and makes us answer all the time is not one to keep.
constexpr size_t kHeldMax = 256 * 1024;

FailureKind kind_of(const SSL* ssl, int reason, bool done) {
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return FailureKind::kTruncated;
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && SSL_get_verify_result(ssl) != X509_V_OK) {
    return FailureKind::kVerify;
  }
  return done ? FailureKind::kProtocol : FailureKind::kHandshake;
}

}  // namespace

BIO_METHOD* Engine::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sock");
    BIO_meth_set_read_ex(made, on_bio_read);
    BIO_meth_set_write_ex(made, on_bio_write);
    BIO_meth_set_ctrl(made, on_bio_control);
    return made;
  }();
  return method;
}

std::unique_ptr<Engine> Engine::create(std::shared_ptr<const Context> context,
                                       std::unique_ptr<reactor::Transport> transport) {
  const ErrorScope errors;
  std::unique_ptr<Engine> engine(new Engine(std::move(context), std::move(transport)));
  engine->ssl_.reset(SSL_new(engine->context_->get()));
  SSL* ssl = engine->ssl_.get();
  BIO* bio = ssl == nullptr ? nullptr : BIO_new(bio_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, engine.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  if (engine->context_->role() == Role::kServer) {
    SSL_set_accept_state(ssl);
  } else {
    SSL_set_connect_state(ssl);
  }
  return engine;
}

bool Engine::set_hostname(const std::string& name, bool is_address) {
  const ErrorScope errors;
  hostname_ = name;
  if (is_address) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) == 1;
  }
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) == 1 &&
         SSL_set1_host(ssl_.get(), name.c_str()) == 1;
}

bool Engine::set_session(const unsigned char* data, size_t size) {
  // It stands for a certificate that was verified: for that name, and no other.
  const unsigned char* end = data + size;
  const unsigned char* name_end = std::find(data, end, '\0');
  if (name_end == end || hostname_ != std::string(data, name_end)) return false;
  const ErrorScope errors;
  const unsigned char* der = name_end + 1;
  const SessionPtr session(d2i_SSL_SESSION(nullptr, &der, static_cast<long>(end - der)));
  if (session == nullptr) return false;
  unsigned int size_of_scope = 0;
  const unsigned char* scope = SSL_SESSION_get0_id_context(session.get(), &size_of_scope);
  const SessionScope& ours = context_->session_scope();
  if (!std::equal(scope, scope + size_of_scope, ours.begin(), ours.end())) return false;
  return SSL_set_session(ssl_.get(), session.get()) == 1;
}

std::vector<unsigned char> Engine::session() const {
  const ErrorScope errors;
  const SessionPtr session(SSL_get1_session(ssl_.get()));
  if (session == nullptr || SSL_SESSION_is_resumable(session.get()) != 1) return {};
  const int size = i2d_SSL_SESSION(session.get(), nullptr);
  if (size <= 0) return {};
  std::vector<unsigned char> bytes(hostname_.begin(), hostname_.end());
  bytes.resize(hostname_.size() + 1 + static_cast<size_t>(size));
  unsigned char* der = bytes.data() + hostname_.size() + 1;
  i2d_SSL_SESSION(session.get(), &der);
  return bytes;
}

std::vector<unsigned char> Engine::peer_certificate() const {
  const ErrorScope errors;
  const CertificatePtr certificate(SSL_get1_peer_certificate(ssl_.get()));
  const int size = certificate == nullptr ? 0 : i2d_X509(certificate.get(), nullptr);
  if (size <= 0) return {};
  std::vector<unsigned char> der(static_cast<size_t>(size));
  unsigned char* out = der.data();
  i2d_X509(certificate.get(), &out);
  return der;
}

int Engine::on_bio_read(BIO* bio, char* data, size_t size, size_t* got) {
  auto& engine = *static_cast<Engine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const IoResult result = engine.transport_->receive(data, size);
  if (result > 0) {
    *got = static_cast<size_t>(result);
    return 1;
  }
  *got = 0;
  if (result == -EAGAIN) {
    BIO_set_retry_read(bio);
    return -1;
  }
  if (result == 0) {
    BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return 0;
  }
  engine.transport_end_ = result;
  return -1;
}

int Engine::on_bio_write(BIO* bio, const char* data, size_t size, size_t* taken) {
  auto& engine = *static_cast<Engine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *taken = 0;
  size_t sent = 0;
  if (!engine.holds_output()) {
    const IoResult result = engine.transport_->send(data, size);
    if (result < 0 && result != -EAGAIN) {
      engine.transport_end_ = result;
      return -1;
    }
    sent = result < 0 ? 0 : static_cast<size_t>(result);
  }
  if (sent < size) {
    if (engine.held_.size() + size - sent > kHeldMax) {
      engine.transport_end_ = -ENOBUFS;
      return -1;
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    engine.held_.insert(engine.held_.end(), bytes + sent, bytes + size);
  }
  *taken = size;
  return 1;
}

long Engine::on_bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

IoResult Engine::flush() {
  if (transport_end_ != 1) return transport_end_;
  while (holds_output()) {
    const size_t left = held_.size() - held_from_;
    const IoResult result = transport_->send(held_.data() + held_from_, left);
    if (result < 0 && result != -EAGAIN) transport_end_ = result;
    if (result < 0) return result;
    held_from_ += static_cast<size_t>(result);
    if (static_cast<size_t>(result) < left) return -EAGAIN;
  }
  // Its memory too: few connections ever hold anything.
  held_ = {};
  held_from_ = 0;
  return 0;
}

void Engine::note_failure() {
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  failure_.kind = kind_of(ssl_.get(), reason, done_);
  failure_.reason = last_reason();
  // Alerts that came are told as reasons, too.
  const int alert = reason - SSL_AD_REASON_OFFSET;
  if (alert >= 0 && alert <= std::numeric_limits<uint8_t>::max()) failure_.alert = alert;
  if (failure_.kind == FailureKind::kVerify) {
    failure_.verify_code = SSL_get_verify_result(ssl_.get());
  }
}

IoResult Engine::outcome(int result) {
  // Asked first: an error that OpenSSL got over is still in its queue, and would hide this.
  if (SSL_want(ssl_.get()) != SSL_NOTHING && BIO_should_retry(SSL_get_rbio(ssl_.get()))) {
    return -EAGAIN;
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      break;
  }
  if (transport_end_ != 1) return transport_end_;
  if (failure_.kind == FailureKind::kNone) note_failure();
  return -EPROTO;
}

void Engine::begin_receive() {
  is_starved_ = false;
  transport_->begin_receive();
}

IoResult Engine::handshake() {
  if (done_) return 0;
  if (receive_end_ < 1) return receive_end_ == 0 ? -EPROTO : receive_end_;
  const ErrorScope errors;
  begin_receive();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    done_ = true;
    return 0;
  }
  const IoResult told = outcome(result);
  if (told == -EAGAIN) return told;
  // A peer that says goodbye in the middle has not agreed to anything.
  receive_end_ = told == 0 ? -ECONNRESET : told;
  return receive_end_;
}

IoResult Engine::receive(void* data, size_t size) {
  if (receive_end_ < 1) return receive_end_;
  const ErrorScope errors;
  begin_receive();
  auto* at = static_cast<std::byte*>(data);
  size_t filled = 0;
  do {
    size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), at + filled, size - filled, &got);
    filled += got;
    if (result == 1) continue;
    const IoResult told = outcome(result);
    if (told != -EAGAIN) receive_end_ = told;
    is_starved_ = told == -EAGAIN;
    return filled > 0 ? static_cast<IoResult>(filled) : told;
  } while (filled < size && may_receive());
  return static_cast<IoResult>(filled);
}

bool Engine::holds_input() const {
  return receive_end_ < 1 || (!is_starved_ && SSL_has_pending(ssl_.get()) == 1);
}

bool Engine::may_receive() const {
  return holds_input() || !transport_->drained();
}

bool Engine::settle() {
  if (!done_ || receive_end_ < 1) return receive_end_ < 0;
  const ErrorScope errors;
  begin_receive();
  char byte = 0;
  size_t got = 0;
  const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &got);
  if (result == 1) return true;
  const IoResult told = outcome(result);
  if (told != -EAGAIN) receive_end_ = told;
  is_starved_ = told == -EAGAIN;
  return told < 0 && told != -EAGAIN;
}

IoResult Engine::send(const void* data, size_t size) {
  if (shut_down_) return -EPIPE;
  if (transport_end_ != 1) return transport_end_;
  if (failure_.kind != FailureKind::kNone) return -EPROTO;
  const IoResult flushed = flush();
  if (flushed < 0) return flushed;
  const ErrorScope errors;
  const auto* at = static_cast<const std::byte*>(data);
  size_t taken = 0;
  while (taken < size && !holds_output()) {
    size_t written = 0;
    const size_t next = std::min(size - taken, kRecordMax);
    const int result = SSL_write_ex(ssl_.get(), at + taken, next, &written);
    if (result != 1) {
      const IoResult told = outcome(result);
      return taken > 0 ? static_cast<IoResult>(taken) : (told == 0 ? -EPIPE : told);
    }
    taken += written;
  }
  return static_cast<IoResult>(taken);
}

IoResult Engine::shutdown() {
  if (shut_down_ || !done_ || failure_.kind != FailureKind::kNone || transport_end_ != 1) return 0;
  const ErrorScope errors;
  shut_down_ = true;
  const int result = SSL_shutdown(ssl_.get());
  if (result >= 0) return 0;
  const IoResult told = outcome(result);
  return told == -EAGAIN ? 0 : told;
}

}  // namespace sock::tls
