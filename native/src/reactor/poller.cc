#include "reactor/poller.h"

#include <cerrno>

namespace sock::reactor {

Result<std::unique_ptr<Poller>> make_poller(std::string_view name) {
  if (name.empty()) return backends().front().make();
  for (const Backend& backend : backends()) {
    if (backend.name == name) return backend.make();
  }
  return Error{EINVAL};
}

}  // namespace sock::reactor
