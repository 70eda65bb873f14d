// The records of one connection, between OpenSSL and a transport.
//
// Theory of operation. OpenSSL reads records from the transport through a BIO of ours, straight
// into its own buffer, and writes them to it. The transport may refuse to take more. OpenSSL would
// then want the same bytes offered again, which nobody above can promise: a send may be given up.
// So the BIO takes every record whole, and what the transport refuses is held here; while something
// is held, no more is taken from users. That bounds it to a record or a flight of the handshake.
//
// A step of the handshake can take milliseconds. For such a step the wire is lent to a thread: what
// the transport has is received beforehand, what OpenSSL writes is kept until the wire is back, and
// nothing else here is touched meanwhile. The thread owns a share of the wire, so the connection
// may be closed under it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reactor/filter.h"
#include "tls/context.h"

namespace sock::tls {

// The most that a record carries (RFC 8446, 5.1).
constexpr size_t kRecordMax = 16 * 1024;

// Numbers are mirrored in packages/tls/src/failure.ts.
enum class FailureKind : int32_t {
  kNone,
  kHandshake,  // the two sides did not agree
  kVerify,     // the peer's certificate was refused
  kProtocol,   // something else than TLS came
  kTruncated,  // the transport ended before the peer said that this was all
};

struct Failure {
  FailureKind kind = FailureKind::kNone;
  std::string reason;    // in the words of OpenSSL
  int alert = -1;        // the number of the alert that the peer sent (RFC 8446, 6), -1: none
  long verify_code = 0;  // X509_V_ERR_* of <openssl/x509_vfy.h>, 0: no problem
};

class Wire {
 public:
  // Null when no memory is left. The transport is used by calls from above, never by a thread.
  static std::shared_ptr<Wire> create(std::shared_ptr<const Context> context,
                                      reactor::Transport& transport);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  const Context& context() const { return *context_; }
  SSL* ssl() const { return ssl_.get(); }

  // The next step of the handshake: 0 once it is done, -EAGAIN when something has to come first,
  // -ENOMSG when users have to answer first, -EPROTO with a failure(), or what the transport said.
  sys::IoResult handshake();
  // What a call of OpenSSL that returned `result` means: -EAGAIN, -ENOMSG, 0 for the peer's orderly
  // end, or a negative errno, which is noted.
  sys::IoResult outcome(int result);
  const Failure& failure() const { return failure_; }

  // Takes from the transport what a thread shall have. Whether there is something new, be it an
  // end.
  bool fetch();
  bool has_fetched() const { return fetched_from_ < fetched_.size(); }
  // From now on it is a thread's, which calls handshake(), until take_back().
  void lend() { is_lent_ = true; }
  bool is_lent() const { return is_lent_; }
  // What handshake() said on the thread, after which what it wrote is sent or held.
  sys::IoResult take_back();

  // Between these records are sent several at a time: a call for each costs more than to copy them.
  void begin_gather();
  // What the same send has left, the next record included.
  void set_left(size_t left);
  void end_gather();

  bool holds_output() const { return held_.size() > held_from_; }
  sys::IoResult flush();
  // 1 while the transport works; else what it said when it broke.
  sys::IoResult transport_end() const { return transport_end_; }

 private:
  Wire(std::shared_ptr<const Context> context, reactor::Transport& transport)
      : context_(std::move(context)), transport_(transport) {}

  void note_failure();
  sys::IoResult receive(void* data, size_t size);
  // Takes from the transport what OpenSSL will ask for next: from 3.2 on it asks for the head of
  // each record of a handshake by itself, and then for its body.
  sys::IoResult fetch_ahead();
  // What the transport does not take is held. False when it is broken, or that is too much.
  bool send_or_hold(const std::byte* bytes, size_t size, sys::Follows follows);
  bool send_gathered(sys::Follows follows);

  static BIO_METHOD* bio_method();
  static int on_bio_read(BIO* bio, char* data, size_t size, size_t* got);
  static int on_bio_write(BIO* bio, const char* data, size_t size, size_t* taken);
  static long on_bio_control(BIO* bio, int command, long number, void* pointer);

  std::shared_ptr<const Context> context_;
  reactor::Transport& transport_;
  SslPtr ssl_;
  bool is_done_ = false;
  sys::IoResult transport_end_ = 1;
  Failure failure_;
  bool gathers_ = false;
  sys::Follows follows_ = sys::Follows::kNothing;
  size_t gather_max_ = 0;
  std::vector<std::byte> held_;
  size_t held_from_ = 0;
  bool is_lent_ = false;
  sys::IoResult lent_result_ = -EAGAIN;
  std::vector<std::byte> fetched_;
  size_t fetched_from_ = 0;
  // 1 while more may come; else what the transport said behind what was fetched.
  sys::IoResult fetched_end_ = 1;
};

}  // namespace sock::tls
