// A mapping of memory, given back when it goes.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "base/result.h"

namespace sock::sys {

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  // Memory of this process alone, zeroed; pages are taken as they are touched.
  static Result<Mapping> anonymous(size_t size) {
    return of(size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  // Shared with whoever is behind the descriptor.
  static Result<Mapping> shared(size_t size, int fd, off_t offset) {
    return of(size, MAP_SHARED, fd, offset);
  }

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  size_t size() const { return size_; }
  template <class T>
  T* at(size_t offset) const {
    return reinterpret_cast<T*>(data() + offset);
  }

 private:
  static Result<Mapping> of(size_t size, int flags, int fd, off_t offset) {
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    if (data == MAP_FAILED) return Error{errno, Syscall::kMmap};
    Mapping mapping;
    mapping.data_ = data;
    mapping.size_ = size;
    return mapping;
  }

  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sock::sys
