// TLS in front of a stream: contexts, and the steps that move no bytes of users. Those go the way
// of every other stream.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "net/source_transport.h"
#include "net/stream.h"
#include "tls/consultation.h"
#include "tls/engine.h"
#include "tls/pkcs12.h"

namespace sock::binding {

namespace {

using ContextPtr = std::shared_ptr<const tls::Context>;

// Only TLS makes filters.
tls::Engine* engine_of(reactor::Source* source) {
  return source == nullptr ? nullptr : static_cast<tls::Engine*>(source->filter.get());
}

napi_value to_list(napi_env env, std::initializer_list<napi_value> values) {
  napi_value list = nullptr;
  napi_create_array_with_length(env, values.size(), &list);
  uint32_t index = 0;
  for (napi_value value : values) napi_set_element(env, list, index++, value);
  return list;
}

// Undefined where there are none.
napi_value to_array_buffer(napi_env env, const std::vector<unsigned char>& bytes) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (bytes.empty() || napi_create_arraybuffer(env, bytes.size(), &data, &buffer) != napi_ok) {
    return nullptr;
  }
  std::memcpy(data, bytes.data(), bytes.size());
  return buffer;
}

// tlsIsAvailable() -> whether this process has an OpenSSL.
napi_value js_is_available(napi_env env, napi_callback_info /*info*/) {
  napi_value result = nullptr;
  napi_get_boolean(env, tls::available(), &result);
  return result;
}

// The same parts one behind the other: name, HMAC, AES.
std::vector<tls::TicketKey> to_ticket_keys(Bytes bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data);
  const auto take = [&at](auto& part) {
    std::copy_n(at, part.size(), part.begin());
    at += part.size();
  };
  std::vector<tls::TicketKey> keys(bytes.size / tls::kTicketKeySize);
  for (tls::TicketKey& key : keys) {
    take(key.name);
    take(key.mac);
    take(key.cipher);
  }
  return keys;
}

std::string to_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}

// tlsContext(settings) -> the context, or [setting, reason] when one is refused.
napi_value js_context(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const Fields fields(env, args[0]);
  tls::Settings settings;
  settings.role = fields.boolean("isServer") ? tls::Role::kServer : tls::Role::kClient;
  for (const Fields& identity : fields.list("identities")) {
    settings.identities.push_back({identity.string("hostname"), identity.string("chain"),
                                   identity.string("key"), identity.string("passphrase"),
                                   to_text(identity.bytes("staple"))});
  }
  settings.authorities = fields.strings("authorities");
  settings.system_roots = {fields.strings("rootTexts"), fields.strings("rootFiles"),
                           fields.strings("rootDirectories")};
  settings.revocations = fields.strings("revocations");
  settings.revocation_of_leaf_only = fields.boolean("revocationOfLeafOnly");
  settings.verify_mode = fields.int32("verifyMode");
  settings.version_min = fields.int32("minVersion");
  settings.version_max = fields.int32("maxVersion");
  settings.ciphers = fields.string("ciphers");
  settings.cipher_suites = fields.string("cipherSuites");
  settings.protocols = to_text(fields.bytes("protocols"));
  settings.ticket_keys = to_ticket_keys(fields.bytes("ticketKeys"));
  settings.asks_protocol = fields.boolean("asksProtocol");
  settings.asks_staple = fields.boolean("asksStaple");
  settings.asks_verdict = fields.boolean("asksVerdict");
  settings.logs_secrets = fields.boolean("logsSecrets");
  settings.requests_status = fields.boolean("requestsStatus");
  settings.requires_status = fields.boolean("requiresStatus");
  settings.terms = fields.string("terms");
  settings.session_life_s = static_cast<uint32_t>(fields.int32("sessionLifeS"));

  tls::Refusal refusal;
  ContextPtr context = tls::Context::create(settings, refusal);
  if (context == nullptr) {
    return to_list(env, {to_js(env, std::string(refusal.setting)), to_js(env, refusal.reason)});
  }
  napi_value result = nullptr;
  auto* held = new ContextPtr(std::move(context));
  napi_create_external(
      env, held, [](napi_env, void* data, void*) { delete static_cast<ContextPtr*>(data); },
      nullptr, &result);
  return result;
}

// tlsEnable(index, generation, context, early) -> 0 or negative errno: -EALREADY, -ENOMEM. `early`:
// bytes that were received already.
napi_value js_enable(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  if (source->filter != nullptr) return to_js(env, -EALREADY);
  void* context = nullptr;
  if (napi_get_value_external(env, args[2], &context) != napi_ok) return to_js(env, -EINVAL);
  const Bytes early = args.bytes(3);
  auto transport = std::make_unique<net::SourceTransport>(
      args.context().reactor(), *source,
      std::vector<std::byte>(early.data, early.data + early.size));
  std::unique_ptr<tls::Engine> engine =
      tls::Engine::create(*static_cast<ContextPtr*>(context), std::move(transport));
  if (engine == nullptr) return to_js(env, -ENOMEM);
  source->filter = std::move(engine);
  return to_js(env, 0);
}

// tlsSetHostname(index, generation, name, isAddress) -> 0 or negative errno: -EINVAL for what
// cannot be one. For clients, before the handshake.
napi_value js_set_hostname(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  return to_js(env, engine->set_hostname(args.string(2), args.boolean(3)) ? 0 : -EINVAL);
}

// tlsSetSession(index, generation, session) -> 0, or -EINVAL for what is none. For clients, before
// the handshake.
napi_value js_set_session(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  const Bytes bytes = args.bytes(2);
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data);
  return to_js(env, data != nullptr && engine->set_session(data, bytes.size) ? 0 : -EINVAL);
}

// tlsSession(index, generation) -> an ArrayBuffer, or undefined while there is none.
napi_value js_session(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  return engine == nullptr ? nullptr : to_array_buffer(env, engine->session());
}

// tlsHandshake(index, generation, wait) -> 0 once it is done, or a negative errno: -EAGAIN, -ENOMSG
// when tlsQuestion asks, -EPROTO when tlsFailure tells why. With `wait` a thread may make the step,
// -EINPROGRESS: then a record kReadable comes when it has.
napi_value js_handshake(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  reactor::Source* source = source_of(args);
  tls::Engine* engine = engine_of(source);
  if (engine == nullptr) return to_js(env, -EBADF);
  reactor::Reactor& reactor = args.context().reactor();
  const bool wait = args.boolean(2);
  const sys::IoResult step =
      wait ? engine->handshake(args.context().handshake_threads(), source->token)
           : engine->handshake();
  const sys::IoResult told = net::note_stepped(reactor, *source, step, wait);
  // What came behind the last message is here, and no event tells of it.
  if (told == 0) source->set(reactor::flag::kReadable);
  if (told == 0 && engine->holds_input()) source->set(reactor::flag::kUnread);
  return to_js(env, told);
}

// tlsShutdown(index, generation) -> 0 or negative errno. The peer is told that this was all.
napi_value js_shutdown(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  tls::Engine* engine = engine_of(source);
  if (engine == nullptr) return to_js(env, -EBADF);
  Context& context = args.context();
  context.reactor().counters().add(Counter::kShutdownCalls);
  return to_js(env, net::note_stepped(context.reactor(), *source, engine->shutdown(), true));
}

// tlsSettle(index, generation) -> 1 when bytes for users are left unread, or the connection is no
// longer whole; else 0.
napi_value js_settle(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  tls::Engine* engine = engine_of(source_of(args));
  return to_js(env, engine != nullptr && engine->settle() ? 1 : 0);
}

// flushHeld(index, generation) -> 0 once the kernel has all that was taken, or negative errno.
napi_value js_flush_held(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  return to_js(env, net::flush(args.context().reactor(), *source));
}

// tlsFailure(index, generation) -> [kind, reason, alert, verify code, verify text], kind 0: none.
napi_value js_failure(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  const tls::Failure& failure = engine->failure();
  const char* problem = X509_verify_cert_error_string(failure.verify_code);
  return to_list(env, {to_js(env, static_cast<int64_t>(failure.kind)), to_js(env, failure.reason),
                       to_js(env, failure.alert), to_js(env, failure.verify_code),
                       to_js(env, std::string(problem))});
}

// tlsState(index, generation) -> [version, cipher, protocol, verify code]; the texts are empty
// where there is nothing yet.
napi_value js_state(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  SSL* ssl = engine->ssl();
  const bool done = engine->is_done();
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  const char* cipher = done ? SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)) : "";
  return to_list(env, {to_js(env, std::string(done ? SSL_get_version(ssl) : "")),
                       to_js(env, std::string(cipher == nullptr ? "" : cipher)),
                       to_js(env, std::string(reinterpret_cast<const char*>(protocol), size)),
                       to_js(env, SSL_get_verify_result(ssl))});
}

// tlsResumed(index, generation) -> 1 when keys of an earlier connection are used again, else 0.
napi_value js_resumed(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  const bool is_done = engine != nullptr && engine->is_done();
  return to_js(env, is_done ? SSL_session_reused(engine->ssl()) : 0);
}

// tlsComplete(index, generation) -> as tlsResumed; counts a handshake that is done, and judged.
napi_value js_complete(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  const bool is_resumed = SSL_session_reused(engine->ssl()) == 1;
  Counters& counters = args.context().reactor().counters();
  counters.add(Counter::kTlsHandshakes);
  if (is_resumed) counters.add(Counter::kTlsResumptions);
  return to_js(env, is_resumed ? 1 : 0);
}

// tlsPeerCertificate(index, generation) -> its DER as an ArrayBuffer, or undefined.
napi_value js_peer_certificate(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  return engine == nullptr ? nullptr : to_array_buffer(env, engine->peer_certificate());
}

// tlsPeerChain(index, generation) -> the certificates that led to the verdict, the peer's first, as
// ArrayBuffers; none where it sent none.
napi_value js_peer_chain(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  const std::vector<std::vector<unsigned char>> chain = engine->peer_chain();
  napi_value list = nullptr;
  napi_create_array_with_length(env, chain.size(), &list);
  uint32_t index = 0;
  for (const auto& der : chain) napi_set_element(env, list, index++, to_array_buffer(env, der));
  return list;
}

// tlsQuestion(index, generation) -> [host name, protocols as on the wire, whether a response (OCSP)
// is wanted], or undefined: what a handshake that says -ENOMSG has to be told.
napi_value js_question(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return nullptr;
  const tls::Consultation& asked = tls::Consultation::of(engine->ssl());
  if (!asked.is_asked || asked.is_answered) return nullptr;
  const std::vector<unsigned char> offered(asked.offered.begin(), asked.offered.end());
  return to_list(env, {to_js(env, asked.hostname), to_array_buffer(env, offered),
                       to_js(env, asked.wants_staple ? 1 : 0)});
}

// tlsAnswer(index, generation, protocol, staple) -> 0: both as on the wire, null where there is
// none. The next step goes on with them.
napi_value js_answer(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  engine->answer(to_text(args.bytes(2)), to_text(args.bytes(3)));
  return to_js(env, 0);
}

// tlsSecrets(index, generation) -> the lines of a key log that have come since.
napi_value js_secrets(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  std::vector<std::string> lines;
  lines.swap(tls::Consultation::of(engine->ssl()).secrets);
  napi_value list = nullptr;
  napi_create_array_with_length(env, lines.size(), &list);
  uint32_t index = 0;
  for (const std::string& line : lines) napi_set_element(env, list, index++, to_js(env, line));
  return list;
}

// tlsOcspStatus(index, generation) -> OcspStatus of tls/ocsp.h.
napi_value js_ocsp_status(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const tls::Engine* engine = engine_of(source_of(args));
  if (engine == nullptr) return to_js(env, -EBADF);
  return to_js(env, static_cast<int64_t>(tls::Consultation::of(engine->ssl()).status));
}

// tlsOcspLeft(response) -> for how many seconds it may still be shown, below 0 when it is past
// that; undefined for what is no response, or one that failed.
napi_value js_ocsp_left(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const std::optional<int64_t> end = tls::end_of(to_text(args.bytes(0)));
  if (!end.has_value()) return nullptr;
  napi_value result = nullptr;
  napi_create_double(env, static_cast<double>(*end - std::time(nullptr)), &result);
  return result;
}

// tlsPkcs12(file, passphrase) -> [chain, key] as PEM text, or why it was refused.
napi_value js_pkcs12(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  tls::Refusal refusal;
  const std::optional<tls::Identity> identity =
      tls::read_pkcs12(to_text(args.bytes(0)), args.string(1), refusal);
  if (!identity.has_value()) return to_js(env, refusal.reason);
  return to_list(env, {to_js(env, identity->chain), to_js(env, identity->key)});
}

}  // namespace

tls::HandshakeThreads& Context::handshake_threads() {
  if (handshake_threads_ == nullptr) {
    const auto wake = [](void* handle) { uv_async_send(static_cast<uv_async_t*>(handle)); };
    handshake_threads_ = std::make_unique<tls::HandshakeThreads>(wake, &wakeup_);
  }
  return *handshake_threads_;
}

void Context::take_handshakes() {
  if (handshake_threads_ == nullptr) return;
  for (const reactor::Token& owner : handshake_threads_->take()) stepped_.push_back(owner);
  while (!stepped_.empty() && record_count_ < kRecordsMax) {
    reactor::Source* source = reactor_->slots().find(stepped_.front());
    if (source != nullptr) {
      engine_of(source)->take_back();
      record(source->token.index, static_cast<int32_t>(Record::kReadable), 0, 0);
    }
    stepped_.pop_front();
  }
  if (!stepped_.empty()) uv_async_send(&wakeup_);
}

void install_tls(Installer& installer) {
  installer.add("tlsIsAvailable", js_is_available);
  installer.add("tlsContext", js_context);
  installer.add("tlsEnable", js_enable);
  installer.add("tlsSetHostname", js_set_hostname);
  installer.add("tlsSetSession", js_set_session);
  installer.add("tlsSession", js_session);
  installer.add("tlsHandshake", js_handshake);
  installer.add("tlsShutdown", js_shutdown);
  installer.add("tlsSettle", js_settle);
  installer.add("flushHeld", js_flush_held);
  installer.add("tlsFailure", js_failure);
  installer.add("tlsState", js_state);
  installer.add("tlsResumed", js_resumed);
  installer.add("tlsComplete", js_complete);
  installer.add("tlsPeerCertificate", js_peer_certificate);
  installer.add("tlsPeerChain", js_peer_chain);
  installer.add("tlsQuestion", js_question);
  installer.add("tlsAnswer", js_answer);
  installer.add("tlsSecrets", js_secrets);
  installer.add("tlsOcspStatus", js_ocsp_status);
  installer.add("tlsOcspLeft", js_ocsp_left);
  installer.add("tlsPkcs12", js_pkcs12);
}

}  // namespace sock::binding
