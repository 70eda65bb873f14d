// sendfile(2) of the BSDs and of macOS differ from each other and from Linux's; until one of them
// can be tried, bytes go through this process there.
#include <cerrno>

#include "sys/kernel_copy.h"

namespace sock::sys {

IoResult send_file(int, int, uint64_t, size_t) {
  return -ENOSYS;
}
IoResult splice_file(int, uint64_t, int, size_t) {
  return -ENOSYS;
}
IoResult splice_in(int, int, size_t) {
  return -ENOSYS;
}
IoResult splice_out(int, int, size_t) {
  return -ENOSYS;
}
bool is_refusal(IoResult result) {
  return result == -ENOSYS;
}
void enlarge_pipe(int, size_t) {}

}  // namespace sock::sys
