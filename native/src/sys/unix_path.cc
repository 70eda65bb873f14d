// Theory of operation. bind(2) makes the file and fails where there is one, whoever left it. The
// question whether it is stale, its removal and the new bind are three steps, and between them
// another starter may do the same: it would remove the file that the first has just bound. So all
// who bind through this file take a lock (flock(2) on the parent directory, which leaves no file of
// its own behind) around the whole, and the first attempt is inside it as well: the file appears a
// moment before the kernel lists its socket.
//
// Stale means that two witnesses agree. The kernel's list of sockets knows who holds the file, even
// one that is bound but does not listen yet, but not the sockets of other network namespaces.
// connect(2) knows every listener, wherever it is: only ECONNREFUSED says that there is none.
// Whatever cannot be found out counts as "in use".
#include "sys/unix_path.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>

#include "sys/retry.h"
#include "sys/socket_calls.h"
#include "sys/unix_path_holder.h"

namespace sock::sys {

namespace {

// The lock is held for tens of microseconds, so 50 ms are long; they are spent on the caller's
// thread. Beyond them the holder is not one of ours.
constexpr int kLockAttemptsMax = 50;
constexpr timespec kLockPause{0, 1'000'000};

constexpr Error kInUse{EADDRINUSE, Syscall::kBind};

bool has_file(const SockAddr& address) {
  return address.is_unix() && !address.is_abstract() && !address.host().empty();
}

struct Place {
  std::string parent;
  std::string name;
};

Place split(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return Place{".", path};
  return Place{path.substr(0, slash + 1), path.substr(slash + 1)};
}

// Empty when the lock cannot be had: then nothing is replaced.
UniqueFd lock_directory(const std::string& path) {
  UniqueFd directory(
      retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory) return directory;
  for (int attempt = 0; attempt < kLockAttemptsMax; attempt++) {
    if (retry([&] { return ::flock(directory.get(), LOCK_EX | LOCK_NB); }) == 0) return directory;
    if (errno != EWOULDBLOCK) break;
    // Cut short by a signal, it only tries earlier.
    ::nanosleep(&kLockPause, nullptr);
  }
  return UniqueFd();
}

// The socket file of that name, not followed if it is a link; none when it is anything else.
FileId socket_file(int directory, const std::string& name) {
  struct stat found;
  if (::fstatat(directory, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) return FileId{};
  if (!S_ISSOCK(found.st_mode)) return FileId{};
  return FileId{static_cast<uint64_t>(found.st_dev), found.st_ino};
}

// A full backlog (EAGAIN), another type of socket (EPROTOTYPE) or no permission are answers too.
bool nobody_answers(int type, const SockAddr& address) {
  Result<UniqueFd> probe = open_socket(AF_UNIX, type);
  if (!probe.ok()) return false;
  const Status connected = connect_socket(probe.value().get(), address);
  return !connected.ok() && connected.error().code == ECONNREFUSED;
}

Status remove_stale(const UniqueFd& directory, const std::string& name, int type,
                    const SockAddr& address) {
  const FileId file = socket_file(directory.get(), name);
  if (!file.exists()) return kInUse;
  if (find_holder(file) == Holder::kSomebody) return kInUse;
  if (!nobody_answers(type, address)) return kInUse;
  // Programs that know nothing of the lock may have put another file there meanwhile.
  if (socket_file(directory.get(), name) != file) return kInUse;
  if (::unlinkat(directory.get(), name.c_str(), 0) < 0) return Error{errno, Syscall::kUnlink};
  return Nothing{};
}

}  // namespace

Result<FileId> bind_unix_path(int fd, int type, const SockAddr& address) {
  if (!has_file(address)) {
    const Status bound = bind_socket(fd, address);
    if (!bound.ok()) return bound.error();
    return FileId{};
  }
  const std::string path = address.host();
  const Place place = split(path);
  const UniqueFd directory = lock_directory(place.parent);
  Status bound = bind_socket(fd, address);
  if (!bound.ok() && bound.error().code == EADDRINUSE && directory) {
    const Status removed = remove_stale(directory, place.name, type, address);
    if (!removed.ok()) return removed.error();
    bound = bind_socket(fd, address);
  }
  if (!bound.ok()) return bound.error();
  return socket_file(AT_FDCWD, path);
}

Status unlink_if_ours(const SockAddr& address, const FileId& file) {
  if (!file.exists() || !has_file(address)) return Nothing{};
  const std::string path = address.host();
  if (socket_file(AT_FDCWD, path) != file) return Nothing{};
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) return Error{errno, Syscall::kUnlink};
  return Nothing{};
}

}  // namespace sock::sys
