// Messages with descriptors and credentials, and the descriptors that come with them: each has a
// slot of its own, so that it is closed when the environment ends, like every other.
#include <fcntl.h>

#include <cerrno>
#include <span>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/vector.h"
#include "binding/wraps.h"
#include "net/stream.h"

namespace sock::binding {

namespace {

using sys::MessageKind;

// Bits of the second number that receiveMessage() returns, mirrored in lib/constants.ts.
enum MessageFlag : int {
  kTruncated = 1,
  kControlTruncated = 2,
  kHasCredentials = 4,
};

// In the order of `MessageKind` in lib/constants.ts.
constexpr MessageKind kKinds[] = {MessageKind::kNext, MessageKind::kPeek, MessageKind::kOutOfBand};

// sendMessage(index, generation, views, lengths, descriptors, credentials, outOfBand, wait) ->
// count or negative errno. `descriptors` is an Int32Array; `credentials` a Float64Array of pid, uid
// and gid, or of nothing.
napi_value js_send_message(napi_env env, napi_callback_info info) {
  const Args<8> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Vector vector;
  if (!vector.find(env, args[2], args[3], 0, 0)) return to_js(env, -EFAULT);
  sys::OutgoingMessage message;
  message.parts = vector.parts();
  message.descriptors = args.int32s(4);
  message.out_of_band = args.boolean(6);
  const std::span<const double> stated = args.doubles(5);
  if (stated.size() == 3) {
    message.credentials =
        sys::Credentials{static_cast<pid_t>(stated[0]), static_cast<uid_t>(stated[1]),
                         static_cast<gid_t>(stated[2])};
  }
  return to_js(env, net::send_message(args.context().reactor(), *source, message, args.boolean(7)));
}

// The slots of the descriptors, or fewer: those without one are closed.
size_t adopt_all(Context& context, sys::IncomingMessage& message,
                 std::span<reactor::Source*> sources) {
  size_t count = 0;
  for (size_t i = 0; i < message.descriptor_count; i++) {
    sys::UniqueFd descriptor = std::move(message.descriptors[i]);
    reactor::Source* source = context.adopt(std::move(descriptor), reactor::Kind::kStream);
    if (source != nullptr) sources[count++] = source;
  }
  return count;
}

// [count, flags, pid, uid, gid, and slot and generation of each descriptor]
napi_value describe(Context& context, int64_t count, sys::IncomingMessage& message) {
  std::array<reactor::Source*, sys::kPassedMax> sources{};
  const size_t adopted = adopt_all(context, message, sources);
  const sys::Credentials credentials = message.credentials.value_or(sys::Credentials{});
  const int flags = (message.truncated ? kTruncated : 0) |
                    (message.control_truncated ? kControlTruncated : 0) |
                    (message.credentials.has_value() ? kHasCredentials : 0);
  napi_env env = context.env();
  napi_value list = nullptr;
  napi_create_array_with_length(env, 5 + 2 * adopted, &list);
  uint32_t at = 0;
  for (const int64_t number :
       {count, static_cast<int64_t>(flags), static_cast<int64_t>(credentials.pid),
        static_cast<int64_t>(credentials.uid), static_cast<int64_t>(credentials.gid)}) {
    napi_set_element(env, list, at++, to_js(env, number));
  }
  for (const reactor::Source* source : std::span(sources).first(adopted)) {
    napi_set_element(env, list, at++, to_js(env, source->token.index));
    napi_set_element(env, list, at++, to_js(env, source->token.generation));
  }
  return list;
}

// receiveMessage(index, generation, view, length, kind, wait) -> a list as describe() makes it, or
// a negative errno.
napi_value js_receive_message(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  const int32_t kind = args.int32(4);
  if (source == nullptr) return to_js(env, -EBADF);
  if (kind < 0 || static_cast<size_t>(kind) >= std::size(kKinds)) return to_js(env, -EINVAL);
  const Bytes bytes = args.bytes(2);
  const int32_t length = args.int32(3);
  if (bytes.data == nullptr || length < 1 || bytes.size < static_cast<size_t>(length)) {
    return to_js(env, -EFAULT);
  }
  sys::IncomingMessage message;
  const sys::IoResult count =
      net::receive_message(context.reactor(), *source, bytes.data, static_cast<size_t>(length),
                           kKinds[kind], message, args.boolean(5));
  return count < 0 ? to_js(env, count) : describe(context, count, message);
}

// duplicate(fd) -> slot index, generation in kExtra, of a close-on-exec duplicate; or negative
// errno.
napi_value js_duplicate(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Context& context = args.context();
  sys::UniqueFd duplicate(::fcntl(args.int32(0), F_DUPFD_CLOEXEC, 0));
  if (!duplicate) return to_js(env, -errno);
  reactor::Source* source = context.adopt(std::move(duplicate), reactor::Kind::kStream);
  return source == nullptr ? to_js(env, -ENOMEM) : context.name(*source);
}

// take(index, generation) -> the descriptor, which is the caller's now, or -EBADF.
napi_value js_take(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const int fd = source->fd.release();
  context.close(*source);
  return to_js(env, fd);
}

}  // namespace

void install_message(Installer& installer) {
  installer.add("sendMessage", js_send_message);
  installer.add("receiveMessage", js_receive_message);
  installer.add("duplicate", js_duplicate);
  installer.add("take", js_take);
}

}  // namespace sock::binding
