#include "tls/engine.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tls/consultation.h"

namespace sock::tls {

using sys::IoResult;

namespace {

std::vector<unsigned char> der_of(const X509* certificate) {
  const int size = certificate == nullptr ? 0 : i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::vector<unsigned char> der(static_cast<size_t>(size));
  unsigned char* out = der.data();
  i2d_X509(certificate, &out);
  return der;
}

}  // namespace

std::unique_ptr<Engine> Engine::create(std::shared_ptr<const Context> context,
                                       std::unique_ptr<reactor::Transport> transport) {
  std::unique_ptr<Engine> engine(new Engine(std::move(transport)));
  engine->wire_ = Wire::create(std::move(context), *engine->transport_);
  return engine->wire_ == nullptr ? nullptr : std::move(engine);
}

bool Engine::set_hostname(const std::string& name, bool is_address) {
  const ErrorScope errors;
  hostname_ = name;
  if (is_address) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl()), name.c_str()) == 1;
  }
  // As RFC 9525 has it: no wildcards within a label, and no names but the alternative ones.
  SSL_set_hostflags(ssl(),
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return SSL_set_tlsext_host_name(ssl(), name.c_str()) == 1 &&
         SSL_set1_host(ssl(), name.c_str()) == 1;
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
  const SessionScope& ours = wire_->context().session_scope();
  if (!std::equal(scope, scope + size_of_scope, ours.begin(), ours.end())) return false;
  return SSL_set_session(ssl(), session.get()) == 1;
}

std::vector<unsigned char> Engine::session() const {
  const ErrorScope errors;
  const SessionPtr session(SSL_get1_session(ssl()));
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
  const CertificatePtr certificate(SSL_get1_peer_certificate(ssl()));
  return der_of(certificate.get());
}

std::vector<std::vector<unsigned char>> Engine::peer_chain() const {
  const ErrorScope errors;
  std::vector<std::vector<unsigned char>> chain;
  STACK_OF(X509)* verified = SSL_get0_verified_chain(ssl());
  // -1 where there is none.
  const int count = std::max(sk_X509_num(verified), 0);
  chain.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; i++) {
    chain.push_back(der_of(sk_X509_value(verified, i)));
  }
  // That of an earlier connection is not kept beside its certificate.
  if (chain.empty()) chain.push_back(peer_certificate());
  if (chain.front().empty()) chain.clear();
  return chain;
}

void Engine::begin_receive() {
  is_starved_ = false;
  transport_->begin_receive();
}

IoResult Engine::note_step(IoResult told) {
  if (told == 0) {
    done_ = true;
  } else if (told != -EAGAIN && told != -ENOMSG) {
    receive_end_ = told;
  }
  return told;
}

IoResult Engine::handshake() {
  if (wire_->is_lent()) return -EINPROGRESS;
  if (done_) return 0;
  if (receive_end_ < 1) return receive_end_ == 0 ? -EPROTO : receive_end_;
  begin_receive();
  return note_step(wire_->handshake());
}

IoResult Engine::handshake(HandshakeThreads& threads, reactor::Token owner) {
  if (wire_->is_lent()) return -EINPROGRESS;
  const IoResult told = std::exchange(thread_result_, 1);
  if (told != 1 && told != -EAGAIN) return note_step(told);
  // The first words of a client take no time; what they are answered with may.
  const bool is_greeting = wire_->context().role() == Role::kClient && SSL_in_before(ssl()) == 1;
  const bool is_over = done_ || receive_end_ < 1;
  if (is_over || is_greeting || !wire_->context().is_slow()) return handshake();
  // A thread does not send: what it writes has to wait for what is held.
  const IoResult flushed = flush();
  if (flushed < 0) return flushed;
  begin_receive();
  // After an answer it goes on with what it has.
  const bool is_answered = std::exchange(is_answered_, false);
  if (!wire_->fetch() && !is_answered) return -EAGAIN;
  if (!wire_->has_fetched() && !is_answered) return handshake();
  wire_->lend();
  threads.submit(owner, wire_);
  return -EINPROGRESS;
}

void Engine::answer(std::string protocol, std::string staple) {
  Consultation& consultation = Consultation::of(ssl());
  consultation.protocol = std::move(protocol);
  consultation.staple = std::move(staple);
  consultation.is_answered = true;
  is_answered_ = true;
}

void Engine::take_back() {
  thread_result_ = wire_->take_back();
}

IoResult Engine::flush() {
  return wire_->is_lent() ? 0 : wire_->flush();
}

IoResult Engine::receive(void* data, size_t size) {
  if (wire_->is_lent()) return -EAGAIN;
  if (receive_end_ < 1) return receive_end_;
  const ErrorScope errors;
  begin_receive();
  auto* at = static_cast<std::byte*>(data);
  size_t filled = 0;
  do {
    size_t got = 0;
    const int result = SSL_read_ex(ssl(), at + filled, size - filled, &got);
    filled += got;
    if (result == 1) continue;
    const IoResult told = wire_->outcome(result);
    if (told != -EAGAIN) receive_end_ = told;
    is_starved_ = told == -EAGAIN;
    return filled > 0 ? static_cast<IoResult>(filled) : told;
  } while (filled < size && may_receive());
  return static_cast<IoResult>(filled);
}

bool Engine::holds_input() const {
  return receive_end_ < 1 ||
         (!is_starved_ && (wire_->has_fetched() || SSL_has_pending(ssl()) == 1));
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
  const int result = SSL_peek_ex(ssl(), &byte, 1, &got);
  if (result == 1) return true;
  const IoResult told = wire_->outcome(result);
  if (told != -EAGAIN) receive_end_ = told;
  is_starved_ = told == -EAGAIN;
  return told < 0 && told != -EAGAIN;
}

IoResult Engine::send(const void* data, size_t size) {
  if (wire_->is_lent()) return -EAGAIN;
  if (shut_down_) return -EPIPE;
  if (wire_->transport_end() != 1) return wire_->transport_end();
  if (failure().kind != FailureKind::kNone) return -EPROTO;
  const IoResult flushed = flush();
  if (flushed < 0) return flushed;
  const ErrorScope errors;
  const bool is_long = size > kRecordMax;
  if (is_long) wire_->begin_gather();
  const IoResult told = write_records(static_cast<const std::byte*>(data), size);
  if (is_long) wire_->end_gather();
  return told;
}

IoResult Engine::write_records(const std::byte* data, size_t size) {
  size_t taken = 0;
  while (taken < size && !holds_output()) {
    size_t written = 0;
    const size_t left = size - taken;
    wire_->set_left(left);
    const int result = SSL_write_ex(ssl(), data + taken, std::min(left, kRecordMax), &written);
    if (result != 1) {
      const IoResult told = wire_->outcome(result);
      return taken > 0 ? static_cast<IoResult>(taken) : (told == 0 ? -EPIPE : told);
    }
    taken += written;
  }
  return static_cast<IoResult>(taken);
}

IoResult Engine::shutdown() {
  if (shut_down_ || !done_ || failure().kind != FailureKind::kNone) return 0;
  if (wire_->transport_end() != 1) return 0;
  const ErrorScope errors;
  shut_down_ = true;
  const int result = SSL_shutdown(ssl());
  if (result >= 0) return 0;
  const IoResult told = wire_->outcome(result);
  return told == -EAGAIN ? 0 : told;
}

}  // namespace sock::tls
