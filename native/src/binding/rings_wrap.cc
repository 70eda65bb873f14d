// Completion rings: what AsyncIO does. Each call names its ring first; one that is closed is EBADF.
// Keys of requests are JavaScript's to choose.
#include <cerrno>
#include <memory>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/rings.h"
#include "binding/wraps.h"

namespace sock::binding {

namespace {

using Kind = RequestOwner::Kind;

template <size_t N>
RingEntry* ring_of(const Args<N>& args) {
  return args.context().rings().find(args.int32(0));
}

// What a request begins with: (ring, key, slot, generation). False when one is not there.
struct Subject {
  RingEntry* entry = nullptr;
  reactor::Source* source = nullptr;
  uint32_t key = 0;

  explicit operator bool() const { return entry != nullptr && source != nullptr; }
  int fd() const { return source->fd.get(); }
  void own(Kind kind) const { entry->own(key, RequestOwner{source->token, kind}); }
};

template <size_t N>
Subject subject_of(const Args<N>& args) {
  return {ring_of(args), args.context().find(args.int32(2), args.int32(3)),
          static_cast<uint32_t>(args.int32(1, 0))};
}

// ringOpen(entries) -> its id, or negative errno.
napi_value js_ring_open(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Context& context = args.context();
  reactor::RingConfig config;
  config.entries = static_cast<uint32_t>(args.int32(0));
  Result<uint32_t> id = context.rings().open(context, config);
  return id.ok() ? to_js(env, id.value()) : context.fail(id.error());
}

// ringClose(ring) -> 1, or 0 when it was closed already.
napi_value js_ring_close(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  RingEntry* entry = ring_of(args);
  if (entry == nullptr) return to_js(env, 0);
  args.context().rings().close(args.context(), *entry);
  return to_js(env, 1);
}

// ringReceive(ring, key, slot, generation, size, goesOn) -> 0 or negative errno.
napi_value js_ring_receive(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  const Subject subject = subject_of(args);
  if (!subject) return to_js(env, -EBADF);
  subject.own(Kind::kReceive);
  const auto size = static_cast<uint32_t>(args.int32(4, 1));
  return args.context().outcome(
      subject.entry->ring->receive(subject.key, subject.fd(), size, args.boolean(5)));
}

// ringSend(ring, key, slot, generation, view) -> 0 or negative errno; the bytes are copied.
napi_value js_ring_send(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  const Subject subject = subject_of(args);
  if (!subject) return to_js(env, -EBADF);
  const Bytes bytes = args.bytes(4);
  subject.own(Kind::kSend);
  return args.context().outcome(
      subject.entry->ring->send(subject.key, subject.fd(), {bytes.data, bytes.size}));
}

// ringSendRegistered(ring, key, slot, generation, offset, length) -> 0 or negative errno.
napi_value js_ring_send_registered(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  const Subject subject = subject_of(args);
  if (!subject) return to_js(env, -EBADF);
  const sys::Mapping* memory = subject.entry->memory.get();
  const double offset = args.number(4);
  const double length = args.number(5);
  if (memory == nullptr || offset < 0 || length < 0 ||
      offset + length > static_cast<double>(memory->size())) {
    return to_js(env, -EFAULT);
  }
  subject.own(Kind::kSend);
  return args.context().outcome(subject.entry->ring->send_registered(
      subject.key, subject.fd(),
      {memory->data() + static_cast<size_t>(offset), static_cast<size_t>(length)}));
}

// ringAccept(ring, key, slot, generation, isUnix) -> 0 or negative errno.
napi_value js_ring_accept(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  const Subject subject = subject_of(args);
  if (!subject) return to_js(env, -EBADF);
  subject.own(args.boolean(4) ? Kind::kAcceptUnix : Kind::kAcceptInet);
  return args.context().outcome(subject.entry->ring->accept(subject.key, subject.fd()));
}

// ringCancel(ring, key): its completion tells what has become of it.
napi_value js_ring_cancel(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  RingEntry* entry = ring_of(args);
  if (entry != nullptr) entry->ring->cancel(static_cast<uint32_t>(args.int32(1)));
  return nullptr;
}

// ringSubmit(ring) -> 0 or negative errno; completions that it brings make a turn of their own.
napi_value js_ring_submit(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  RingEntry* entry = ring_of(args);
  if (entry == nullptr) return to_js(env, 0);
  return args.context().outcome(entry->ring->submit(false));
}

// ringMemory(ring, size) -> an ArrayBuffer that is registered with it, or negative errno. Once.
napi_value js_ring_memory(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  RingEntry* entry = ring_of(args);
  if (entry == nullptr || entry->memory != nullptr) return to_js(env, -EBADF);
  Result<sys::Mapping> mapping = sys::Mapping::anonymous(static_cast<size_t>(args.number(1)));
  if (!mapping.ok()) return args.context().fail(mapping.error());
  auto memory = std::make_shared<sys::Mapping>(mapping.take());
  const Status registered = entry->ring->register_memory({memory->data(), memory->size()});
  if (!registered.ok()) return args.context().fail(registered.error());
  // The array and the ring have a share each: whichever goes last gives the memory back.
  auto* share = new std::shared_ptr<sys::Mapping>(memory);
  const auto release = [](napi_env, void*, void* data) {
    delete static_cast<std::shared_ptr<sys::Mapping>*>(data);
  };
  napi_value array = nullptr;
  if (napi_create_external_arraybuffer(env, memory->data(), memory->size(), release, share,
                                       &array) != napi_ok) {
    delete share;
    return to_js(env, -ENOTSUP);
  }
  entry->memory = std::move(memory);
  return array;
}

// turn(): what the event loop would do about the reactor now, for who keeps it from running.
napi_value js_turn(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.context().turn_now();
  return nullptr;
}

// reactorFd() -> readable while turn() would find something; -1 where there is no such thing.
napi_value js_reactor_fd(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return to_js(env, args.context().reactor().poller().fd());
}

}  // namespace

void install_rings(Installer& installer) {
  installer.add("ringOpen", js_ring_open);
  installer.add("ringClose", js_ring_close);
  installer.add("ringReceive", js_ring_receive);
  installer.add("ringSend", js_ring_send);
  installer.add("ringSendRegistered", js_ring_send_registered);
  installer.add("ringAccept", js_ring_accept);
  installer.add("ringCancel", js_ring_cancel);
  installer.add("ringSubmit", js_ring_submit);
  installer.add("ringMemory", js_ring_memory);
  installer.add("turn", js_turn);
  installer.add("reactorFd", js_reactor_fd);
}

}  // namespace sock::binding
