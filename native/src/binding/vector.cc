#include "binding/vector.h"

namespace sock::binding {

namespace {

struct Lengths {
  const double* data = nullptr;
  size_t count = 0;
};

Lengths lengths_of(napi_env env, napi_value array) {
  void* data = nullptr;
  size_t count = 0;
  napi_typedarray_type type = napi_int8_array;
  napi_get_typedarray_info(env, array, &type, &count, &data, nullptr, nullptr);
  if (type != napi_float64_array || data == nullptr) return {};
  return {static_cast<const double*>(data), count};
}

// The view's memory, or null when it is not at least so long.
void* memory_of(napi_env env, napi_value view, size_t length) {
  void* data = nullptr;
  size_t size = 0;
  napi_typedarray_type type = napi_int8_array;
  napi_get_typedarray_info(env, view, &type, &size, &data, nullptr, nullptr);
  return type == napi_uint8_array && size >= length ? data : nullptr;
}

}  // namespace

bool Vector::find(napi_env env, napi_value views, napi_value lengths, int32_t first,
                  double offset) {
  const Lengths known = lengths_of(env, lengths);
  if (known.count > sys::kVectorMax || first < 0 || offset < 0) return false;
  auto skipped = static_cast<size_t>(offset);
  count_ = 0;
  for (auto i = static_cast<size_t>(first); i < known.count; i++) {
    const auto length = static_cast<size_t>(known.data[i]);
    napi_value view = nullptr;
    napi_get_element(env, views, static_cast<uint32_t>(i), &view);
    void* const data = memory_of(env, view, length);
    if (data == nullptr || skipped >= length) return false;
    parts_[count_++] = {static_cast<std::byte*>(data) + skipped, length - skipped};
    skipped = 0;
  }
  return count_ > 0;
}

}  // namespace sock::binding
