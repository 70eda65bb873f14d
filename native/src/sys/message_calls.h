// Messages with descriptors and credentials beside their bytes (unix(7), "Ancillary messages").
#pragma once

#include <array>
#include <optional>
#include <span>

#include "sys/peer_credentials.h"
#include "sys/vector_calls.h"

namespace sock::sys {

// SCM_MAX_FD of Linux: more in one message are EINVAL there.
inline constexpr size_t kPassedMax = 253;

struct OutgoingMessage {
  std::span<iovec> parts;
  std::span<const int> descriptors;  // at most kPassedMax
  std::optional<Credentials> credentials;
  bool out_of_band = false;
};

struct IncomingMessage {
  std::array<UniqueFd, kPassedMax> descriptors;  // close-on-exec
  size_t descriptor_count = 0;
  std::optional<Credentials> credentials;
  bool truncated = false;          // the message was longer than the memory for it
  bool control_truncated = false;  // descriptors were lost: those that came are closed again
};

enum class MessageKind { kNext, kPeek, kOutOfBand };

// As send(). What stands beside the bytes goes with the first of them. ENOTSUP where the system has
// no credentials to state.
IoResult send_message(int fd, const OutgoingMessage& message);

// As receive(). kPeek leaves the message where it is, and gives descriptors that are duplicates.
IoResult receive_message(int fd, void* data, size_t size, MessageKind kind,
                         IncomingMessage& message);

}  // namespace sock::sys
