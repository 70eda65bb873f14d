// One TLS connection over a transport: what users send and receive on one side, records on the
// other.
//
// Theory of operation. OpenSSL reads records from the transport through a BIO of ours, straight
// into its own buffer, and writes them to it. The transport may refuse to take more. OpenSSL would
// then want the same bytes offered again, which nobody above can promise: a send may be given up.
// So the BIO takes every record whole, and what the transport refuses is held here; while something
// is held, no more is taken from users. That bounds it to a record or a flight of the handshake.
//
// How the connection ended is remembered: every later call gives the same answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reactor/filter.h"
#include "tls/context.h"

namespace sock::tls {

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

class Engine final : public reactor::Filter {
 public:
  // Null when no memory is left.
  static std::unique_ptr<Engine> create(std::shared_ptr<const Context> context,
                                        std::unique_ptr<reactor::Transport> transport);

  // For clients, before the handshake: the name is sent to the server, and its certificate has to
  // be for it. An address is not sent, but checked. False when it is neither.
  bool set_hostname(const std::string& name, bool is_address);
  // For clients, before the handshake: the keys of an earlier connection to the same server, as
  // session() told them. False when it is none, or of another server, or made under other terms.
  bool set_session(const unsigned char* data, size_t size);
  // What a later connection can go on with: the name of the server, a zero, and the session in DER
  // (d2i_SSL_SESSION(3)). Empty: nothing yet.
  std::vector<unsigned char> session() const;
  // The next step: 0 once it is done, -EAGAIN when an event has to come first, -EPROTO with a
  // failure(), or what the transport said.
  sys::IoResult handshake();
  bool is_done() const { return done_; }
  // The peer's certificate in DER; empty: none was sent.
  std::vector<unsigned char> peer_certificate() const;
  // Tells the peer that no more is sent; receiving goes on. 0 or a negative errno.
  sys::IoResult shutdown();
  // Takes what the peer has sent for this engine itself, such as sessions. Whether bytes for users
  // are left, or the connection is no longer whole.
  bool settle();

  sys::IoResult receive(void* data, size_t size) override;
  sys::IoResult send(const void* data, size_t size) override;
  bool holds_input() const override;
  bool may_receive() const override;
  bool holds_output() const override { return held_.size() > held_from_; }
  sys::IoResult flush() override;

  const Failure& failure() const { return failure_; }
  SSL* ssl() const { return ssl_.get(); }

 private:
  Engine(std::shared_ptr<const Context> context, std::unique_ptr<reactor::Transport> transport)
      : context_(std::move(context)), transport_(std::move(transport)) {}

  // What a call of OpenSSL that returned `result` means: -EAGAIN, 0 for the peer's orderly end, or
  // a negative errno, which is noted.
  sys::IoResult outcome(int result);
  void note_failure();
  void begin_receive();

  static BIO_METHOD* bio_method();
  static int on_bio_read(BIO* bio, char* data, size_t size, size_t* got);
  static int on_bio_write(BIO* bio, const char* data, size_t size, size_t* taken);
  static long on_bio_control(BIO* bio, int command, long number, void* pointer);

  std::shared_ptr<const Context> context_;
  std::unique_ptr<reactor::Transport> transport_;
  SslPtr ssl_;
  std::string hostname_;
  bool done_ = false;
  bool shut_down_ = false;
  // What OpenSSL has is a part of a record: more has to come before it is of use.
  bool is_starved_ = false;
  // 1 while bytes may come; else what every receive says: 0 at the end, or a negative errno.
  sys::IoResult receive_end_ = 1;
  // 1 while the transport works; else what it said when it broke.
  sys::IoResult transport_end_ = 1;
  Failure failure_;
  std::vector<std::byte> held_;
  size_t held_from_ = 0;
};

}  // namespace sock::tls
