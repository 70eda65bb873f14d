// Reading the arguments of a call from JavaScript. Only our own TypeScript calls, with arguments it
// has checked; a wrong type still yields a harmless default here, never a wild read.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sock::binding {

class Context;

struct Bytes {
  std::byte* data = nullptr;
  size_t size = 0;
};

inline std::string to_string(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return "";
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

// The elements of an array of texts; none when it is no array.
inline std::vector<std::string> to_strings(napi_env env, napi_value value) {
  uint32_t length = 0;
  std::vector<std::string> texts;
  if (napi_get_array_length(env, value, &length) != napi_ok) return texts;
  for (uint32_t at = 0; at < length; at++) {
    napi_value element = nullptr;
    napi_get_element(env, value, at, &element);
    texts.push_back(to_string(env, element));
  }
  return texts;
}

// A Uint8Array, fetched anew at every call, because its buffer may have been detached, transferred
// or resized since the last one. Null data: not there, or empty.
inline Bytes to_bytes(napi_env env, napi_value value) {
  void* data = nullptr;
  size_t size = 0;
  napi_typedarray_type type = napi_int8_array;
  napi_get_typedarray_info(env, value, &type, &size, &data, nullptr, nullptr);
  if (type != napi_uint8_array) return {};
  return {static_cast<std::byte*>(data), size};
}

template <size_t N>
class Args {
 public:
  Args(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = N;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values_, nullptr, &data);
    context_ = static_cast<Context*>(data);
  }

  Context& context() const { return *context_; }
  napi_value operator[](size_t i) const { return values_[i]; }

  int32_t int32(size_t i, int32_t otherwise = -1) const {
    int32_t value = otherwise;
    napi_get_value_int32(env_, values_[i], &value);
    return value;
  }

  double number(size_t i) const {
    double value = 0;
    napi_get_value_double(env_, values_[i], &value);
    return value;
  }

  bool boolean(size_t i) const {
    bool value = false;
    napi_get_value_bool(env_, values_[i], &value);
    return value;
  }

  std::string string(size_t i) const { return to_string(env_, values_[i]); }

  Bytes bytes(size_t view) const { return to_bytes(env_, values_[view]); }

  // A Float64Array; empty when it is none.
  std::span<double> doubles(size_t array) const {
    void* data = nullptr;
    size_t size = 0;
    napi_typedarray_type type = napi_int8_array;
    napi_get_typedarray_info(env_, values_[array], &type, &size, &data, nullptr, nullptr);
    if (type != napi_float64_array) return {};
    return {static_cast<double*>(data), size};
  }

  // An Int32Array; empty when it is none.
  std::span<int32_t> int32s(size_t array) const {
    void* data = nullptr;
    size_t size = 0;
    napi_typedarray_type type = napi_int8_array;
    napi_get_typedarray_info(env_, values_[array], &type, &size, &data, nullptr, nullptr);
    if (type != napi_int32_array) return {};
    return {static_cast<int32_t*>(data), size};
  }

  // The part [offset, offset + length) of it; null data when it is not all there.
  Bytes bytes(size_t view, size_t offset_at, size_t length_at) const {
    const Bytes all = bytes(view);
    const int64_t offset = integer(offset_at);
    const int64_t length = integer(length_at);
    if (all.data == nullptr || offset < 0 || length < 0) return {};
    if (static_cast<uint64_t>(offset) + static_cast<uint64_t>(length) > all.size) return {};
    return {all.data + offset, static_cast<size_t>(length)};
  }

 private:
  int64_t integer(size_t i) const {
    int64_t value = -1;
    napi_get_value_int64(env_, values_[i], &value);
    return value;
  }

  napi_env env_;
  Context* context_ = nullptr;
  napi_value values_[N];
};

// The properties of an object, where positions would be too many to tell apart.
class Fields {
 public:
  Fields(napi_env env, napi_value object) : env_(env), object_(object) {}

  int32_t int32(const char* name) const {
    int32_t value = 0;
    napi_get_value_int32(env_, get(name), &value);
    return value;
  }

  bool boolean(const char* name) const {
    bool value = false;
    napi_get_value_bool(env_, get(name), &value);
    return value;
  }

  std::string string(const char* name) const { return to_string(env_, get(name)); }
  std::vector<std::string> strings(const char* name) const { return to_strings(env_, get(name)); }
  Bytes bytes(const char* name) const { return to_bytes(env_, get(name)); }

  // Of an array of objects.
  std::vector<Fields> list(const char* name) const {
    const napi_value array = get(name);
    uint32_t length = 0;
    std::vector<Fields> elements;
    if (napi_get_array_length(env_, array, &length) != napi_ok) return elements;
    for (uint32_t at = 0; at < length; at++) {
      napi_value element = nullptr;
      napi_get_element(env_, array, at, &element);
      elements.emplace_back(env_, element);
    }
    return elements;
  }

 private:
  napi_value get(const char* name) const {
    napi_value value = nullptr;
    napi_get_named_property(env_, object_, name, &value);
    return value;
  }

  napi_env env_;
  napi_value object_;
};

inline napi_value to_js(napi_env env, int64_t value) {
  napi_value result = nullptr;
  napi_create_int64(env, value, &result);
  return result;
}

inline napi_value to_js(napi_env env, const std::string& text) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}

}  // namespace sock::binding
