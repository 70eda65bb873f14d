// What the tests of all layers share.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>

#include "base/result.h"
#include "sys/socket_calls.h"

namespace sock::test {

// The errno of a result, 0 when it is a value.
template <class T>
int code_of(const Result<T>& result) {
  return result.error().code;
}

// The value of a result that must be one.
template <class T>
T take(Result<T> result) {
  REQUIRE_MESSAGE(result.ok(), std::string(std::strerror(result.error().code)));
  return result.take();
}

inline void must(const Status& status) {
  REQUIRE_MESSAGE(status.ok(), std::string(std::strerror(status.error().code)));
}

// A listening TCP socket on a free port of loopback.
struct Listener {
  explicit Listener(int family = AF_INET);

  sys::UniqueFd fd;
  sys::SockAddr address;
};

// Both ends of a connection, non-blocking.
sys::FdPair connect_tcp(int family = AF_INET);

// Sends until the kernel takes no more; returns how much that was.
size_t fill(int fd);
// Receives until nothing is left; returns how much that was.
size_t drain(int fd);

// An empty folder of its own for each test, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Runs the check in a forked process, whose limits and rights it may spoil. What CHECK counts there
// is lost; a failed REQUIRE is a check that did not hold.
pid_t start_child(const std::function<bool()>& check);
// Waits for its end; true when the check held.
bool held(pid_t child);
bool holds_in_child(const std::function<bool()>& check);
// Whether it makes the process abort, as a broken invariant does.
bool aborts_in_child(const std::function<void()>& act);

// A seed for random tests, which capture it so that a failure prints it. SOCK_SEED replays one.
uint64_t test_seed();

}  // namespace sock::test
