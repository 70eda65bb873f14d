// Owns one file descriptor and closes it exactly once.
#pragma once

#include <utility>

#include "sys/uncancelled.h"

namespace sock::sys {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

  // close(2) is not retried on EINTR: Linux has freed the number by then, and a second close could
  // hit a descriptor that another thread was just given (close(2), "Dealing with error returns").
  void reset(int fd = -1) {
    if (fd_ >= 0) uncancelled::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace sock::sys
