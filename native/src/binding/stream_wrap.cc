#include "net/stream.h"

#include <cerrno>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"

namespace sock::binding {

namespace {

// receive(index, generation, max, wait) -> count (0: end of stream) or negative errno. The bytes
// are in chunks[kChunkIndex] at kChunkOffset.
napi_value js_receive(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  ReceiveMemory& memory = context.memory();
  memory.refresh(context.chunks_pending());
  const int32_t max = args.int32(2);
  if (max < 1) return to_js(env, -EINVAL);
  const ReceiveMemory::Place place = memory.reserve(static_cast<size_t>(max));
  if (place.data == nullptr) return to_js(env, -ENOMEM);
  const sys::IoResult count =
      net::receive(context.reactor(), *source, place.data, place.size, args.boolean(3));
  if (count > 0) {
    const ReceiveMemory::Chunk chunk = memory.keep(static_cast<size_t>(count));
    memory.publish();
    context.control(kChunkIndex) = static_cast<int32_t>(chunk.buffer);
    context.control(kChunkOffset) = static_cast<int32_t>(chunk.offset);
  }
  return to_js(env, count);
}

// receiveInto(index, generation, view, offset, length, wait) -> as receive, into the view.
napi_value js_receive_into(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Bytes bytes = args.bytes(2, 3, 4);
  if (bytes.data == nullptr) return to_js(env, -EFAULT);
  return to_js(env,
               net::receive(context.reactor(), *source, bytes.data, bytes.size, args.boolean(5)));
}

// setMemory(index, generation, arrayBuffer) -> 0 or negative errno: from now on what kWantFill asks
// for is received into the front of it.
napi_value js_set_memory(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const bool is_set = args.context().reader_memories().set(source->token.index, args[2]);
  return to_js(env, is_set ? 0 : -EINVAL);
}

// send(index, generation, view, offset, length, wait) -> count or negative errno.
napi_value js_send(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Bytes bytes = args.bytes(2, 3, 4);
  if (bytes.data == nullptr) return to_js(env, -EFAULT);
  return to_js(env, net::send(context.reactor(), *source, bytes.data, bytes.size, args.boolean(5)));
}

// sendAll(index, generation, view): send() of the whole view, waiting for readiness if it does not
// fit.
napi_value js_send_all(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Bytes bytes = args.bytes(2);
  if (bytes.data == nullptr) return to_js(env, -EFAULT);
  return to_js(env, net::send(context.reactor(), *source, bytes.data, bytes.size, true));
}

int to_how(int32_t direction) {
  if (direction == 0) return SHUT_RD;
  return direction == 1 ? SHUT_WR : SHUT_RDWR;
}

// shutdown(index, generation, direction) -> 0 or negative errno; 0 read, 1 write, 2 both.
napi_value js_shutdown(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  context.reactor().counters().add(Counter::kShutdownCalls);
  return context.outcome(sys::shutdown_socket(source->fd.get(), to_how(args.int32(2))));
}

napi_value start_connect(Context& context, reactor::Source& source, Result<sys::SockAddr> address,
                         bool wait) {
  if (!address.ok()) return context.fail(address.error());
  const int result = net::connect(context.reactor(), source, address.value(), wait);
  if (result == 0 || result == -EINPROGRESS) *source.peer = address.value().inet_name();
  return to_js(context.env(), result);
}

// connect(index, generation, host, port, wait) -> 0, -EINPROGRESS or another negative errno.
napi_value js_connect(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const auto port = static_cast<uint16_t>(args.int32(3));
  return start_connect(args.context(), *source, sys::SockAddr::from_literal(args.string(2), port),
                       args.boolean(4));
}

// disconnect(index, generation): a bound socket whose attempt failed can connect again.
napi_value js_disconnect(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  *source->peer = {};
  return args.context().outcome(sys::disconnect_socket(source->fd.get()));
}

// connectUnix(index, generation, path, wait) -> as connect; -EAGAIN when the backlog is full.
napi_value js_connect_unix(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  return start_connect(args.context(), *source, sys::SockAddr::from_path(args.string(2)),
                       args.boolean(3));
}

// connectOutcome(index, generation) -> 0, -EINPROGRESS or the negative errno that it failed with.
napi_value js_connect_outcome(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  return to_js(env, net::connect_outcome(*source));
}

// wait(index, generation, events, timeoutMs) -> poll(2) events that hold, 0 when the time is over,
// or negative errno. Blocks this thread; a negative timeout means no limit.
napi_value js_wait(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<int> events = net::wait_for(context.reactor(), *source, args.int32(2), args.number(3));
  return events.ok() ? to_js(env, events.value()) : context.fail(events.error());
}

}  // namespace

void install_stream(Installer& installer) {
  installer.add("receive", js_receive);
  installer.add("receiveInto", js_receive_into);
  installer.add("setMemory", js_set_memory);
  installer.add("send", js_send);
  installer.add("sendAll", js_send_all);
  installer.add("shutdown", js_shutdown);
  installer.add("connect", js_connect);
  installer.add("disconnect", js_disconnect);
  installer.add("connectUnix", js_connect_unix);
  installer.add("connectOutcome", js_connect_outcome);
  installer.add("wait", js_wait);
}

}  // namespace sock::binding
