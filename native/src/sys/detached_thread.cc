#include "sys/detached_thread.h"

#include <pthread.h>

#include <csignal>
#include <memory>
#include <utility>

namespace sock::sys {

namespace {

void* run(void* argument) {
  const std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
  (*body)();
  return nullptr;
}

}  // namespace

int start_detached_thread(size_t stack_size, std::function<void()> body) {
  pthread_attr_t attributes;
  const int failed = ::pthread_attr_init(&attributes);
  if (failed != 0) return failed;
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, stack_size);
  sigset_t all;
  sigset_t previous;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &previous);
  auto handed_over = std::make_unique<std::function<void()>>(std::move(body));
  pthread_t thread;
  const int error = ::pthread_create(&thread, &attributes, run, handed_over.get());
  ::pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  ::pthread_attr_destroy(&attributes);
  if (error == 0) (void)handed_over.release();  // the thread's now
  return error;
}

}  // namespace sock::sys
