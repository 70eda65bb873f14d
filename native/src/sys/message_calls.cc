#include "sys/message_calls.h"

#include <cerrno>
#include <cstring>

#include "sys/ancillary.h"
#include "sys/descriptor_flags.h"
#include "sys/retry.h"

namespace sock::sys {

namespace {

// More than any system's credentials, and what else it may add unasked.
constexpr size_t kSpareControl = 512;
constexpr size_t kControlMax = CMSG_SPACE(kPassedMax * sizeof(int)) + kSpareControl;

struct Control {
  alignas(cmsghdr) std::array<std::byte, kControlMax> data{};
  size_t size = 0;

  // A new piece at the end; the memory for its data.
  void* add(int type, size_t length) {
    auto* header = reinterpret_cast<cmsghdr*>(data.data() + size);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = type;
    header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(length));
    size += CMSG_SPACE(length);
    return CMSG_DATA(header);
  }
};

void take_descriptors(const cmsghdr& header, IncomingMessage& message) {
  const size_t count = (header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  const unsigned char* data = CMSG_DATA(&header);
  for (size_t i = 0; i < count; i++) {
    int number = -1;
    std::memcpy(&number, data + i * sizeof(int), sizeof(int));
    UniqueFd descriptor(number);
    if (close_on_exec_flag() == 0) (void)set_close_on_exec(number, true).ok();
    if (message.descriptor_count == kPassedMax) {
      message.control_truncated = true;  // and this one is closed
    } else {
      message.descriptors[message.descriptor_count++] = std::move(descriptor);
    }
  }
}

void take_control(msghdr& header, IncomingMessage& message) {
  for (cmsghdr* piece = CMSG_FIRSTHDR(&header); piece != nullptr;
       piece = CMSG_NXTHDR(&header, piece)) {
    if (piece->cmsg_level != SOL_SOCKET) continue;
    if (piece->cmsg_type == SCM_RIGHTS) {
      take_descriptors(*piece, message);
    } else if (piece->cmsg_type == credentials_type()) {
      message.credentials = read_credentials(CMSG_DATA(piece));
    }
  }
}

int flag_of(MessageKind kind) {
  if (kind == MessageKind::kPeek) return MSG_PEEK;
  return kind == MessageKind::kOutOfBand ? MSG_OOB : 0;
}

}  // namespace

IoResult send_message(int fd, const OutgoingMessage& message) {
  if (message.descriptors.size() > kPassedMax) return -EINVAL;
  Control control;
  if (!message.descriptors.empty()) {
    std::memcpy(control.add(SCM_RIGHTS, message.descriptors.size_bytes()),
                message.descriptors.data(), message.descriptors.size_bytes());
  }
  if (message.credentials.has_value()) {
    if (credentials_size() == 0) return -ENOTSUP;
    write_credentials(control.add(credentials_type(), credentials_size()), *message.credentials);
  }
  msghdr header = header_of(message.parts);
  if (control.size > 0) {
    header.msg_control = control.data.data();
    header.msg_controllen = static_cast<decltype(header.msg_controllen)>(control.size);
  }
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (message.out_of_band ? MSG_OOB : 0);
  const ssize_t count = retry([&] { return ::sendmsg(fd, &header, flags); });
  return count >= 0 ? count : -errno;
}

IoResult receive_message(int fd, void* data, size_t size, MessageKind kind,
                         IncomingMessage& message) {
  iovec part{data, size};
  Control control;
  msghdr header = header_of({&part, 1});
  const int flags = MSG_DONTWAIT | close_on_exec_flag() | flag_of(kind);
  const ssize_t count = retry([&] {
    header.msg_control = control.data.data();
    header.msg_controllen = kControlMax;
    return ::recvmsg(fd, &header, flags);
  });
  if (count < 0) return -errno;
  take_control(header, message);
  message.truncated = (header.msg_flags & MSG_TRUNC) != 0;
  message.control_truncated = message.control_truncated || (header.msg_flags & MSG_CTRUNC) != 0;
  if (message.control_truncated) {
    for (size_t i = 0; i < message.descriptor_count; i++) message.descriptors[i].reset();
    message.descriptor_count = 0;
  }
  return count;
}

}  // namespace sock::sys
