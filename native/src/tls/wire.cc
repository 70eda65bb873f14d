#include "tls/wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace sock::tls {

using sys::Follows;
using sys::IoResult;

namespace {

// What a thread is given at once; more than most flights of a handshake have.
constexpr size_t kFetchMax = 32 * 1024;

// What is asked for where OpenSSL wants a few bytes of a handshake; more than most flights have.
constexpr size_t kAheadMax = 8 * 1024;

// What is sent together at all events. What the kernel does not take stays here, and this much a
// trySend() may leave behind.
constexpr size_t kGatherMax = 64 * 1024;
// What is sent together where there is room for it: as fewer calls, a GiB costs a tenth less.
constexpr size_t kWideGatherMax = 256 * 1024;
// A peer that takes nothing and makes us answer all the time is not one to keep.
constexpr size_t kHeldMax = 2 * kWideGatherMax;
// Of the one wire that gathers now on this thread. Its memory is kept: fresh pages cost as much as
// the calls that are saved.
thread_local std::vector<std::byte> gathered;

FailureKind kind_of(const SSL* ssl, int reason, bool done) {
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return FailureKind::kTruncated;
  if ((reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_INVALID_STATUS_RESPONSE) &&
      SSL_get_verify_result(ssl) != X509_V_OK) {
    return FailureKind::kVerify;
  }
  return done ? FailureKind::kProtocol : FailureKind::kHandshake;
}

}  // namespace

BIO_METHOD* Wire::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sock");
    BIO_meth_set_read_ex(made, on_bio_read);
    BIO_meth_set_write_ex(made, on_bio_write);
    BIO_meth_set_ctrl(made, on_bio_control);
    return made;
  }();
  return method;
}

std::shared_ptr<Wire> Wire::create(std::shared_ptr<const Context> context,
                                   reactor::Transport& transport) {
  const ErrorScope errors;
  std::shared_ptr<Wire> wire(new Wire(std::move(context), transport));
  wire->ssl_.reset(SSL_new(wire->context_->get()));
  SSL* ssl = wire->ssl_.get();
  BIO* bio = ssl == nullptr ? nullptr : BIO_new(bio_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, wire.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  if (wire->context_->role() == Role::kServer) {
    SSL_set_accept_state(ssl);
  } else {
    SSL_set_connect_state(ssl);
  }
  return wire;
}

IoResult Wire::receive(void* data, size_t size) {
  if (!has_fetched()) {
    if (fetched_end_ != 1) return fetched_end_;
    if (is_lent_) return -EAGAIN;
    if (is_done_ || size >= kAheadMax) return transport_.receive(data, size);
    const IoResult result = fetch_ahead();
    if (result <= 0) return result;
  }
  const size_t count = std::min(size, fetched_.size() - fetched_from_);
  std::memcpy(data, fetched_.data() + fetched_from_, count);
  fetched_from_ += count;
  if (!has_fetched()) {
    fetched_ = {};
    fetched_from_ = 0;
  }
  return static_cast<IoResult>(count);
}

IoResult Wire::fetch_ahead() {
  std::array<std::byte, kAheadMax> bytes;
  const IoResult result = transport_.receive(bytes.data(), bytes.size());
  if (result > 0) fetched_.assign(bytes.begin(), bytes.begin() + result);
  return result;
}

int Wire::on_bio_read(BIO* bio, char* data, size_t size, size_t* got) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const IoResult result = wire.receive(data, size);
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
  wire.transport_end_ = result;
  return -1;
}

bool Wire::send_or_hold(const std::byte* bytes, size_t size, Follows follows) {
  size_t sent = 0;
  if (!is_lent_ && !holds_output()) {
    const IoResult result = transport_.send(bytes, size, follows);
    if (result < 0 && result != -EAGAIN) {
      transport_end_ = result;
      return false;
    }
    sent = result < 0 ? 0 : static_cast<size_t>(result);
  }
  if (held_.size() + size - sent > kHeldMax) {
    transport_end_ = -ENOBUFS;
    return false;
  }
  held_.insert(held_.end(), bytes + sent, bytes + size);
  return true;
}

void Wire::begin_gather() {
  gathers_ = true;
  gather_max_ = kGatherMax;
}

void Wire::set_left(size_t left) {
  follows_ = left > kRecordMax ? Follows::kMore : Follows::kNothing;
  if (!gathers_ || !gathered.empty()) return;
  const size_t room = left > kGatherMax ? transport_.send_room() : 0;
  gather_max_ = std::clamp(room - room / 4, kGatherMax, kWideGatherMax);
}

bool Wire::send_gathered(Follows follows) {
  const bool is_sent = gathered.empty() || send_or_hold(gathered.data(), gathered.size(), follows);
  gathered.clear();
  return is_sent;
}

void Wire::end_gather() {
  // If it fails, the next call of anything says so.
  send_gathered(Follows::kNothing);
  gathers_ = false;
  follows_ = Follows::kNothing;
}

int Wire::on_bio_write(BIO* bio, const char* data, size_t size, size_t* taken) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *taken = 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  if (wire.gathers_) {
    gathered.insert(gathered.end(), bytes, bytes + size);
    if (gathered.size() >= wire.gather_max_ && !wire.send_gathered(wire.follows_)) return -1;
  } else if (!wire.send_or_hold(bytes, size, Follows::kNothing)) {
    return -1;
  }
  *taken = size;
  return 1;
}

long Wire::on_bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

IoResult Wire::flush() {
  if (transport_end_ != 1) return transport_end_;
  while (holds_output()) {
    const size_t left = held_.size() - held_from_;
    const IoResult result = transport_.send(held_.data() + held_from_, left, Follows::kNothing);
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

void Wire::note_failure() {
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  failure_.kind = kind_of(ssl(), reason, is_done_);
  failure_.reason = last_reason();
  // Alerts that came are told as reasons, too.
  const int alert = reason - SSL_AD_REASON_OFFSET;
  if (alert >= 0 && alert <= std::numeric_limits<uint8_t>::max()) failure_.alert = alert;
  if (failure_.kind == FailureKind::kVerify) failure_.verify_code = SSL_get_verify_result(ssl());
}

IoResult Wire::outcome(int result) {
  // Asked first: an error that OpenSSL got over is still in its queue, and would hide this.
  if (SSL_want(ssl()) != SSL_NOTHING && BIO_should_retry(SSL_get_rbio(ssl()))) return -EAGAIN;
  switch (SSL_get_error(ssl(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return -EAGAIN;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
      return -ENOMSG;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      break;
  }
  if (transport_end_ != 1) return transport_end_;
  if (failure_.kind == FailureKind::kNone) note_failure();
  return -EPROTO;
}

IoResult Wire::handshake() {
  const ErrorScope errors;
  // Two tickets are two records, which OpenSSL writes one by one. A thread sends nothing at all.
  if (!is_lent_) begin_gather();
  const int result = SSL_do_handshake(ssl());
  if (!is_lent_) end_gather();
  if (result == 1) is_done_ = true;
  // A peer that says goodbye in the middle has not agreed to anything.
  IoResult told = result == 1 ? 1 : outcome(result);
  // Where its last words cannot reach the peer, neither has.
  if (told == 1 && transport_end_ != 1) told = transport_end_;
  lent_result_ = told == 1 ? 0 : (told == 0 ? -ECONNRESET : told);
  return lent_result_;
}

bool Wire::fetch() {
  const size_t before = fetched_.size();
  while (fetched_end_ == 1 && fetched_.size() < kFetchMax) {
    const size_t size = fetched_.size();
    fetched_.resize(kFetchMax);
    const IoResult result = transport_.receive(fetched_.data() + size, kFetchMax - size);
    fetched_.resize(size + (result > 0 ? static_cast<size_t>(result) : 0));
    if (result == -EAGAIN) break;
    if (result <= 0) fetched_end_ = result;
  }
  return fetched_.size() > before || fetched_end_ != 1;
}

IoResult Wire::take_back() {
  is_lent_ = false;
  // What it wrote may be the reason why the peer hangs up: it goes first, whatever comes of it.
  const IoResult flushed = flush();
  const bool is_cut = lent_result_ == 0 && flushed < 0 && flushed != -EAGAIN;
  return is_cut ? flushed : lent_result_;
}

}  // namespace sock::tls
