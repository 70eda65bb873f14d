#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "sys/kernel_copy.h"
#include "sys/retry.h"

namespace sock::sys {

namespace {

// Neither call knows MSG_NOSIGNAL. Node ignores SIGPIPE, but only until a program has listened for
// it once. Two masks cost a third of a microsecond, for pieces that cost thirty.
class WithoutSigPipe {
 public:
  WithoutSigPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutSigPipe() {
    const timespec at_once{};
    // It is pending for this thread, and only if the call said EPIPE.
    if (raised_) (void)retry([&] { return ::sigtimedwait(&pipe_, nullptr, &at_once); });
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigPipe(const WithoutSigPipe&) = delete;
  WithoutSigPipe& operator=(const WithoutSigPipe&) = delete;

  IoResult result_of(ssize_t count) {
    if (count >= 0) return count;
    raised_ = errno == EPIPE;
    return -errno;
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool raised_ = false;
};

constexpr unsigned kSpliceFlags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;

IoResult result_of(ssize_t count) {
  return count >= 0 ? count : -errno;
}

}  // namespace

IoResult send_file(int socket, int file, uint64_t offset, size_t size) {
  WithoutSigPipe guard;
  auto from = static_cast<off_t>(offset);
  return guard.result_of(retry([&] { return ::sendfile(socket, file, &from, size); }));
}

IoResult splice_file(int file, uint64_t offset, int pipe, size_t size) {
  auto from = static_cast<off_t>(offset);
  return result_of(retry([&] { return ::splice(file, &from, pipe, nullptr, size, kSpliceFlags); }));
}

IoResult splice_in(int socket, int pipe, size_t size) {
  return result_of(
      retry([&] { return ::splice(socket, nullptr, pipe, nullptr, size, kSpliceFlags); }));
}

IoResult splice_out(int pipe, int socket, size_t size) {
  WithoutSigPipe guard;
  return guard.result_of(
      retry([&] { return ::splice(pipe, nullptr, socket, nullptr, size, kSpliceFlags); }));
}

bool is_refusal(IoResult result) {
  return result == -EINVAL || result == -ENOSYS || result == -EOPNOTSUPP || result == -EPERM;
}

void enlarge_pipe(int pipe, size_t size) {
  (void)::fcntl(pipe, F_SETPIPE_SZ, static_cast<int>(size));
}

}  // namespace sock::sys
