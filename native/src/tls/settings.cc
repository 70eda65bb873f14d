#include "tls/settings.h"

namespace sock::tls {

bool refuse(Refusal& refusal, const char* setting) {
  return refuse(refusal, setting, last_reason().c_str());
}

bool refuse(Refusal& refusal, const char* setting, const char* reason) {
  refusal = {setting, reason};
  return false;
}

}  // namespace sock::tls
