// Files on their way into sockets: made here, sent piece by piece, and closed by the caller.
#include <poll.h>

#include <cerrno>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "net/file_sender.h"

namespace sock::binding {

namespace {

bool is_string(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type == napi_string;
}

// openFile(source, offset, length, wait) -> id, or a negative errno. `source` is a path or a
// descriptor; a negative length means to the end. With `wait` a path is opened by the loader, and
// what comes of it is told by the first sendFile().
napi_value js_open_file(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Context& context = args.context();
  const double length = args.number(2);
  const uint32_t id = context.new_task();
  auto sender = std::make_unique<net::FileSender>(
      id, context.loader(), static_cast<uint64_t>(args.number(1)),
      length < 0 ? net::FileSender::kToEnd : static_cast<uint64_t>(length));
  Status opened = Nothing{};
  if (!is_string(env, args[0])) {
    opened = sender->open(args.int32(0));
  } else if (args.boolean(3)) {
    sender->open_later(args.string(0));
  } else {
    opened = sender->open(args.string(0));
  }
  if (!opened.ok()) return context.fail(opened.error());
  context.files()[id] = std::move(sender);
  return to_js(env, id);
}

// sendFile(index, generation, id, wait, mayBlock, goOn) -> count, 0 at the end, or negative errno,
// with the call in kSyscall when it is the file's. After -EINPROGRESS a record kTask says when to
// go on. With `goOn` it is more than a piece if nothing else has happened.
napi_value js_send_file(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  const auto file = context.files().find(static_cast<uint32_t>(args.int32(2)));
  if (source == nullptr || file == context.files().end()) return to_js(env, -EBADF);
  // Where nothing else has happened, the turn that a piece would end costs as much as the piece.
  const bool is_alone = args.boolean(5) && !context.others_wait();
  const sys::IoResult sent =
      file->second->send(context.reactor(), *source, args.boolean(3), args.boolean(4),
                         is_alone ? net::FileSender::kBurstMax : net::FileSender::kPieceMax);
  context.control(kSyscall) = static_cast<int32_t>(file->second->file_fault());
  return to_js(env, sent);
}

// closeFile(id): nobody wants to hear of it any more.
napi_value js_close_file(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.context().files().erase(static_cast<uint32_t>(args.int32(0)));
  return nullptr;
}

}  // namespace

// Timers do not count: a burst is shorter than what they are exact to.
bool Context::others_wait() {
  Result<int> ready = sys::wait_for(uv_backend_fd(timer_.loop), POLLIN, 0);
  return !ready.ok() || ready.value() != 0;
}

net::FileLoader& Context::loader() {
  if (loader_ == nullptr) {
    const auto wake = [](void* handle) { uv_async_send(static_cast<uv_async_t*>(handle)); };
    loader_ = std::make_unique<net::FileLoader>(wake, &wakeup_);
  }
  return *loader_;
}

void Context::take_loaded() {
  if (loader_ == nullptr) return;
  for (net::Loaded& loaded : loader_->take()) loaded_.push_back(std::move(loaded));
  while (!loaded_.empty() && record_count_ < kRecordsMax) {
    const net::Loaded& loaded = loaded_.front();
    const auto file = files_.find(loaded.id);
    if (file != files_.end()) {
      file->second->loaded(loaded);
      record(loaded.id, static_cast<int32_t>(Record::kTask), 0, 0);
    }
    loaded_.pop_front();
  }
  if (!loaded_.empty()) uv_async_send(&wakeup_);
}

void install_file(Installer& installer) {
  installer.add("openFile", js_open_file);
  installer.add("sendFile", js_send_file);
  installer.add("closeFile", js_close_file);
}

}  // namespace sock::binding
