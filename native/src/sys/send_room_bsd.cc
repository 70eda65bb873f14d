#include "sys/send_room.h"

namespace sock::sys {

size_t send_room(int /*fd*/) {
  return 0;
}

}  // namespace sock::sys
