#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace sock::test {

namespace {

int wait_for_end(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
  return status;
}

}  // namespace

Listener::Listener(int family) {
  fd = take(sys::open_socket(family, SOCK_STREAM));
  const std::string loopback = family == AF_INET6 ? "::1" : "127.0.0.1";
  must(sys::bind_socket(fd.get(), take(sys::SockAddr::from_literal(loopback, 0))));
  must(sys::listen_socket(fd.get(), 128));
  address = take(sys::local_address(fd.get()));
}

sys::FdPair connect_tcp(int family) {
  const Listener listener(family);
  sys::FdPair ends;
  ends.first = take(sys::open_socket(family, SOCK_STREAM));
  const Status started = sys::connect_socket(ends.first.get(), listener.address);
  REQUIRE((started.ok() || code_of(started) == EINPROGRESS));
  REQUIRE(take(sys::wait_for(listener.fd.get(), POLLIN, 5000)) != 0);
  sys::SockAddr peer;
  ends.second = take(sys::accept_socket(listener.fd.get(), &peer));
  REQUIRE(take(sys::wait_for(ends.first.get(), POLLOUT, 5000)) == POLLOUT);
  return ends;
}

size_t fill(int fd) {
  static const std::array<char, 65536> zeros{};
  size_t total = 0;
  for (;;) {
    const sys::IoResult count = sys::send(fd, zeros.data(), zeros.size());
    if (count < 0) {
      REQUIRE(count == -EAGAIN);
      return total;
    }
    total += static_cast<size_t>(count);
  }
}

size_t drain(int fd) {
  std::array<char, 65536> bytes;
  size_t total = 0;
  for (;;) {
    const sys::IoResult count = sys::receive(fd, bytes.data(), bytes.size());
    if (count <= 0) {
      REQUIRE((count == 0 || count == -EAGAIN));
      return total;
    }
    total += static_cast<size_t>(count);
  }
}

TemporaryFolder::TemporaryFolder() {
  const char* parent = std::getenv("TMPDIR");
  path_ = std::string(parent != nullptr ? parent : "/tmp") + "/sock-test-XXXXXX";
  REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

pid_t start_child(const std::function<bool()>& check) {
  // Or both would print what is buffered.
  std::cout.flush();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child != 0) return child;
  // The runner's handler would report the abort of a check that is meant to end so.
  ::signal(SIGABRT, SIG_DFL);
  // A failed REQUIRE throws, and must not come back to the parent's test case.
  try {
    ::_exit(check() ? 0 : 1);
  } catch (...) {
    ::_exit(1);
  }
}

bool held(pid_t child) {
  const int status = wait_for_end(child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool aborts_in_child(const std::function<void()>& act) {
  const int status = wait_for_end(start_child([&] {
    // Nobody wants to read why.
    ::close(STDERR_FILENO);
    act();
    return true;
  }));
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

bool holds_in_child(const std::function<bool()>& check) {
  return held(start_child(check));
}

uint64_t test_seed() {
  const char* given = std::getenv("SOCK_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

}  // namespace sock::test
