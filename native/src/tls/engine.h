// One TLS connection over a transport: what users send and receive on one side, records on the
// other. How the connection ended is remembered: every later call gives the same answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reactor/filter.h"
#include "tls/context.h"
#include "tls/handshake_threads.h"
#include "tls/wire.h"

namespace sock::tls {

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
  // The next step: 0 once it is done, -EAGAIN when an event has to come first, -ENOMSG when users
  // have to answer first (see consultation.h), -EPROTO with a failure(), or what the transport
  // said.
  sys::IoResult handshake();
  // The same, but what takes long is left to a thread: -EINPROGRESS, until it tells that `owner`
  // has to be asked again.
  sys::IoResult handshake(HandshakeThreads& threads, reactor::Token owner);
  // The thread has done its part.
  void take_back();
  // What users say to -ENOMSG; see Consultation.
  void answer(std::string protocol, std::string staple);
  bool is_done() const { return done_; }
  // The peer's certificate in DER; empty: none was sent.
  std::vector<unsigned char> peer_certificate() const;
  // Those that led to the verdict on it, in DER, the peer's first.
  std::vector<std::vector<unsigned char>> peer_chain() const;
  // Tells the peer that no more is sent; receiving goes on. 0 or a negative errno.
  sys::IoResult shutdown();
  // Takes what the peer has sent for this engine itself, such as sessions. Whether bytes for users
  // are left, or the connection is no longer whole.
  bool settle();

  sys::IoResult receive(void* data, size_t size) override;
  sys::IoResult send(const void* data, size_t size) override;
  bool holds_input() const override;
  bool may_receive() const override;
  bool holds_output() const override { return !wire_->is_lent() && wire_->holds_output(); }
  sys::IoResult flush() override;

  const Failure& failure() const { return wire_->failure(); }
  SSL* ssl() const { return wire_->ssl(); }

 private:
  explicit Engine(std::unique_ptr<reactor::Transport> transport)
      : transport_(std::move(transport)) {}

  // Of a step that was made: its result, which is remembered if it is the last.
  sys::IoResult note_step(sys::IoResult told);
  void begin_receive();
  sys::IoResult write_records(const std::byte* data, size_t size);

  std::unique_ptr<reactor::Transport> transport_;
  std::shared_ptr<Wire> wire_;
  std::string hostname_;
  bool done_ = false;
  bool is_answered_ = false;
  bool shut_down_ = false;
  // What the thread's step came to, until it is told; 1: there was none.
  sys::IoResult thread_result_ = 1;
  // What OpenSSL has is a part of a record: more has to come before it is of use.
  bool is_starved_ = false;
  // 1 while bytes may come; else what every receive says: 0 at the end, or a negative errno.
  sys::IoResult receive_end_ = 1;
};

}  // namespace sock::tls
