// sock_diag(7): the kernel lists every Unix socket with the file that it is bound to.
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "sys/retry.h"
#include "sys/unique_fd.h"
#include "sys/unix_path_holder.h"

namespace sock::sys {

namespace {

// The states of unix_diag_msg are those of TCP (net/tcp_states.h, not exported to user space).
constexpr uint8_t kEstablished = 1;

// dev_t inside the kernel, which is what it reports here: 12 bits of major, 20 of minor number.
uint32_t to_kernel_device(uint64_t device) {
  return static_cast<uint32_t>(major(device)) << 20 | static_cast<uint32_t>(minor(device));
}

Result<UniqueFd> request_list() {
  UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return Error{errno, Syscall::kSocket};
  struct {
    nlmsghdr header;
    unix_diag_req body;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = UINT32_MAX;
  request.body.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS;
  const auto sent = retry([&] { return ::send(netlink.get(), &request, sizeof(request), 0); });
  if (sent < 0) return Error{errno, Syscall::kSend};
  return netlink;
}

struct Entry {
  std::optional<unix_diag_vfs> file;
  std::string name;
};

Entry parse_attributes(const nlmsghdr* message) {
  Entry entry;
  const auto* attribute = reinterpret_cast<const rtattr*>(
      static_cast<const char*>(NLMSG_DATA(message)) + NLMSG_ALIGN(sizeof(unix_diag_msg)));
  int left = static_cast<int>(message->nlmsg_len) - int{NLMSG_SPACE(sizeof(unix_diag_msg))};
  while (RTA_OK(attribute, left)) {
    if (attribute->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(attribute) >= sizeof(unix_diag_vfs)) {
      unix_diag_vfs file;
      std::memcpy(&file, RTA_DATA(attribute), sizeof(file));
      entry.file = file;
    } else if (attribute->rta_type == UNIX_DIAG_NAME) {
      const auto* name = static_cast<const char*>(RTA_DATA(attribute));
      entry.name.assign(name, strnlen(name, RTA_PAYLOAD(attribute)));
    }
    attribute = RTA_NEXT(attribute, left);
  }
  return entry;
}

bool leads_to(const std::string& name, const FileId& file) {
  struct stat found;
  if (::fstatat(AT_FDCWD, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) return false;
  return FileId{found.st_dev, found.st_ino} == file;
}

// An accepted connection carries the file of its listener. It does not hold it: nothing can reach a
// connected stream through a name, so such a file is stale once the listener is gone.
bool is_mere_connection(const unix_diag_msg& socket) {
  return socket.udiag_type != SOCK_DGRAM && socket.udiag_state == kEstablished;
}

bool holds(const nlmsghdr* message, const FileId& file) {
  unix_diag_msg socket;
  std::memcpy(&socket, NLMSG_DATA(message), sizeof(socket));
  if (is_mere_connection(socket)) return false;
  const Entry entry = parse_attributes(message);
  if (!entry.file || entry.file->udiag_vfs_ino != static_cast<uint32_t>(file.inode)) return false;
  if (entry.file->udiag_vfs_dev == to_kernel_device(file.device)) return true;
  // stat(2) on overlayfs and btrfs makes up device numbers that the kernel does not use itself, so
  // another one proves nothing. Then the name decides; a relative one could lead anywhere.
  return entry.name.empty() || entry.name.front() != '/' || leads_to(entry.name, file);
}

// kUnknown means that the list goes on.
Holder search(const char* data, int size, const FileId& file) {
  const auto* message = reinterpret_cast<const nlmsghdr*>(data);
  while (NLMSG_OK(message, size)) {
    if (message->nlmsg_type == NLMSG_DONE) return Holder::kNobody;
    if (message->nlmsg_type == SOCK_DIAG_BY_FAMILY && holds(message, file)) {
      return Holder::kSomebody;
    }
    message = NLMSG_NEXT(message, size);
  }
  return Holder::kUnknown;
}

}  // namespace

Holder find_holder(const FileId& file) {
  Result<UniqueFd> netlink = request_list();
  if (!netlink.ok()) return Holder::kUnknown;
  // netlink(7) advises at least 8 KiB; a bigger buffer means fewer calls.
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const auto count = retry(
        [&] { return ::recv(netlink.value().get(), buffer.data(), buffer.size(), MSG_TRUNC); });
    if (count <= 0 || static_cast<size_t>(count) > buffer.size()) return Holder::kUnknown;
    const auto* first = reinterpret_cast<const nlmsghdr*>(buffer.data());
    if (first->nlmsg_type == NLMSG_ERROR) return Holder::kUnknown;
    const Holder holder = search(buffer.data(), static_cast<int>(count), file);
    if (holder != Holder::kUnknown) return holder;
  }
}

}  // namespace sock::sys
