// A list of views from JavaScript, as system calls take it.
#pragma once

#include <napi.h>

#include <array>
#include <span>

#include "sys/vector_calls.h"

namespace sock::binding {

class Vector {
 public:
  // Finds the memory of the views, less `offset` bytes of view number `first` and all before it.
  // `lengths` (a Float64Array) says how long they were when the operation began: false when one
  // has become shorter, was detached, or is none, and nothing may be read or written then. Found
  // anew for every system call, because any of that can have happened since the last one.
  bool find(napi_env env, napi_value views, napi_value lengths, int32_t first, double offset);

  std::span<iovec> parts() { return std::span(parts_).first(count_); }

 private:
  std::array<iovec, sys::kVectorMax> parts_;  // 16 KiB, of which only the first are ever written
  size_t count_ = 0;
};

}  // namespace sock::binding
