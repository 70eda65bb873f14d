// A value, or the errno and the system call that stood in its way. Errors are values everywhere
// below binding/; they become exceptions in one place, in TypeScript.
#pragma once

#include <cstdint>
#include <utility>

#include "base/check.h"

namespace sock {

// The calls that an error can name. The order is mirrored by `syscallNames` in lib/constants.ts.
enum class Syscall : uint8_t {
  kNone,
  kSocket,
  kSocketPair,
  kBind,
  kListen,
  kAccept,
  kConnect,
  kRecv,
  kSend,
  kShutdown,
  kSetSockOpt,
  kGetSockOpt,
  kGetSockName,
  kGetPeerName,
  kPoll,
  kEpollCreate,
  kEpollCtl,
  kEventFd,
  kPipe,
  kUnlink,
  kFcntl,
  kOpen,
  kFstat,
  kPread,
  kSendFile,
  kSplice,
  kTimerFd,
  kMmap,
  kIoUringSetup,
  kIoUringRegister,
  kIoUringEnter,
  kKqueue,
  kKevent,
};

struct Error {
  int code = 0;  // errno, positive
  Syscall call = Syscall::kNone;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit, so that functions read well
  Result(Error error) : error_(error) { SOCK_CHECK(error.code > 0); }  // NOLINT

  bool ok() const { return error_.code == 0; }
  const Error& error() const { return error_; }
  T& value() {
    SOCK_CHECK(ok());
    return value_;
  }
  T take() {
    SOCK_CHECK(ok());
    return std::move(value_);
  }

 private:
  T value_{};
  Error error_{};
};

struct Nothing {};
using Status = Result<Nothing>;

}  // namespace sock
