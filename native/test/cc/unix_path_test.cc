#include "sys/unix_path.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "support.h"
#include "sys/pipe.h"
#include "sys/unix_path_holder.h"

namespace sock::sys {

using test::code_of;
using test::must;
using test::take;
using test::TemporaryFolder;

namespace {

struct Bound {
  UniqueFd fd;
  Result<FileId> file = FileId{};
};

Bound bind_at(const std::string& path, int type = SOCK_STREAM) {
  Bound bound;
  bound.fd = take(open_socket(AF_UNIX, type));
  bound.file = bind_unix_path(bound.fd.get(), type, take(SockAddr::from_path(path)));
  return bound;
}

Bound listen_at(const std::string& path) {
  Bound server = bind_at(path);
  (void)take(server.file);
  must(listen_socket(server.fd.get(), 8));
  return server;
}

// What a crashed server leaves behind.
void leave_stale_file(const std::string& path, int type = SOCK_STREAM) {
  const UniqueFd fd = take(open_socket(AF_UNIX, type));
  must(bind_socket(fd.get(), take(SockAddr::from_path(path))));
}

FileId identify(const std::string& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) < 0) return FileId{};
  return FileId{found.st_dev, found.st_ino};
}

int connect_error(const std::string& path, int type = SOCK_STREAM) {
  const UniqueFd fd = take(open_socket(AF_UNIX, type));
  return code_of(connect_socket(fd.get(), take(SockAddr::from_path(path))));
}

// Refused, and the file that was in the way is still there.
bool is_refused_untouched(const std::string& path, int type = SOCK_STREAM) {
  const FileId before = identify(path);
  return code_of(bind_at(path, type).file) == EADDRINUSE && before.exists() &&
         identify(path) == before;
}

// As service managers do that restrict address families.
bool forbid_netlink() {
  const uint32_t arguments = offsetof(seccomp_data, args);
  std::array<sock_filter, 6> rules = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arguments),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{rules.size(), rules.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

TEST_CASE("a path where nothing is becomes a socket file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("new");
  Bound bound = bind_at(path);
  CHECK(take(bound.file) == identify(path));
  CHECK(take(local_address(bound.fd.get())).host() == path);
}

TEST_CASE("a stale file is replaced") {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM}) {
    CAPTURE(type);
    const TemporaryFolder folder;
    const std::string path = folder.file("stale");
    leave_stale_file(path, type);
    Bound bound = bind_at(path, type);
    CHECK(take(bound.file) == identify(path));
    if (type != SOCK_DGRAM) must(listen_socket(bound.fd.get(), 1));
    CHECK(connect_error(path, type) == 0);
  }
}

TEST_CASE("a file left by another type of socket is replaced") {
  const TemporaryFolder folder;
  const std::string path = folder.file("stale");
  leave_stale_file(path, SOCK_DGRAM);
  Bound bound = bind_at(path, SOCK_STREAM);
  CHECK(take(bound.file) == identify(path));
}

TEST_CASE("a stale file with a relative name is replaced") {
  CHECK(test::holds_in_child([] {
    const TemporaryFolder folder;
    if (::chdir(folder.path().c_str()) != 0) return false;
    leave_stale_file("name");
    const Bound bound = bind_at("name");
    return bound.file.ok() && take(bound.file) == identify("name");
  }));
}

TEST_CASE("a file whose listener is gone is stale, though a connection of it lives") {
  const TemporaryFolder folder;
  const std::string path = folder.file("old");
  Bound old = listen_at(path);
  const UniqueFd client = take(open_socket(AF_UNIX, SOCK_STREAM));
  must(connect_socket(client.get(), take(SockAddr::from_path(path))));
  SockAddr peer;
  const UniqueFd accepted = take(accept_socket(old.fd.get(), &peer));
  CHECK(is_refused_untouched(path));
  old.fd.reset();
  const Bound fresh = listen_at(path);
  CHECK(connect_error(path) == 0);
  CHECK(send(accepted.get(), "x", 1) == 1);
}

TEST_CASE("the file of a live listener is never touched, and it is not bothered") {
  const TemporaryFolder folder;
  const std::string path = folder.file("live");
  const Bound server = listen_at(path);
  CHECK(is_refused_untouched(path));
  SockAddr peer;
  CHECK(code_of(accept_socket(server.fd.get(), &peer)) == EAGAIN);
  CHECK(connect_error(path) == 0);
}

TEST_CASE("a live listener with a full backlog is never touched") {
  const TemporaryFolder folder;
  const std::string path = folder.file("busy");
  Bound server = bind_at(path);
  must(listen_socket(server.fd.get(), 0));
  std::vector<UniqueFd> clients;
  int code = 0;
  while (code == 0) {
    clients.push_back(take(open_socket(AF_UNIX, SOCK_STREAM)));
    code = code_of(connect_socket(clients.back().get(), take(SockAddr::from_path(path))));
  }
  REQUIRE(code == EAGAIN);
  CHECK(is_refused_untouched(path));
}

TEST_CASE("a socket that is bound and does not listen is never touched") {
  const TemporaryFolder folder;
  const std::string path = folder.file("starting");
  const Bound starting = bind_at(path);
  REQUIRE(connect_error(path) == ECONNREFUSED);
  CHECK(is_refused_untouched(path));
}

TEST_CASE("a live datagram socket is never touched, whatever type asks") {
  const TemporaryFolder folder;
  const std::string path = folder.file("datagrams");
  const Bound server = bind_at(path, SOCK_DGRAM);
  CHECK(is_refused_untouched(path, SOCK_DGRAM));
  CHECK(is_refused_untouched(path, SOCK_STREAM));
}

TEST_CASE("a socket held by another process alone is never touched") {
  const TemporaryFolder folder;
  const std::string path = folder.file("elsewhere");
  const FdPair ready = take(open_pair(SOCK_STREAM));
  const pid_t child = test::start_child([&] {
    const Bound bound = bind_at(path);
    char byte = 0;
    return send(ready.second.get(), "", 1) == 1 &&
           take(wait_for(ready.second.get(), POLLIN, 10'000)) != 0 &&
           receive(ready.second.get(), &byte, 1) == 1;
  });
  REQUIRE(take(wait_for(ready.first.get(), POLLIN, 10'000)) == POLLIN);
  CHECK(is_refused_untouched(path));
  CHECK(send(ready.first.get(), "", 1) == 1);
  CHECK(test::held(child));
  CHECK(code_of(bind_at(path).file) == 0);
}

TEST_CASE("what is no socket is never touched") {
  const TemporaryFolder folder;
  const std::string file = folder.file("file");
  const UniqueFd made(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  REQUIRE(made);
  CHECK(is_refused_untouched(file));
  const std::string pipe = folder.file("fifo");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(is_refused_untouched(pipe));
  const std::string inner = folder.file("folder");
  REQUIRE(::mkdir(inner.c_str(), 0700) == 0);
  CHECK(is_refused_untouched(inner));
}

TEST_CASE("a symbolic link is never touched, nor what it leads to") {
  const TemporaryFolder folder;
  const std::string stale = folder.file("stale");
  const std::string link = folder.file("link");
  leave_stale_file(stale);
  const FileId target = identify(stale);
  REQUIRE(::symlink(stale.c_str(), link.c_str()) == 0);
  CHECK(is_refused_untouched(link));
  CHECK(identify(stale) == target);
  const std::string dangling = folder.file("dangling");
  REQUIRE(::symlink(folder.file("nothing").c_str(), dangling.c_str()) == 0);
  CHECK(is_refused_untouched(dangling));
}

TEST_CASE("a folder that is missing is the caller's error, not a name in use") {
  const TemporaryFolder folder;
  CHECK(code_of(bind_at(folder.file("no/such")).file) == ENOENT);
}

TEST_CASE("while another program holds the lock of the folder nothing is replaced") {
  const TemporaryFolder folder;
  const std::string path = folder.file("stale");
  leave_stale_file(path);
  const UniqueFd lock(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  const double before_ms = now_ms();
  CHECK(is_refused_untouched(path));
  CHECK(now_ms() - before_ms < 5000);
  // A name that is free needs no lock.
  CHECK(code_of(bind_at(folder.file("free")).file) == 0);
  REQUIRE(::flock(lock.get(), LOCK_UN) == 0);
  CHECK(code_of(bind_at(path).file) == 0);
}

TEST_CASE("the kernel tells who holds a file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("socket");
  Bound bound = bind_at(path);
  const FileId file = take(bound.file);
  CHECK(find_holder(file) == Holder::kSomebody);
  // A file with the same number on another device is another file.
  CHECK(find_holder(FileId{file.device + 1, file.inode}) == Holder::kNobody);
  bound.fd.reset();
  CHECK(find_holder(file) == Holder::kNobody);
}

TEST_CASE("the kernel's list is searched to its end") {
  const TemporaryFolder folder;
  std::vector<Bound> many;
  for (int i = 0; i < 600; i++) many.push_back(bind_at(folder.file(std::to_string(i))));
  for (Bound& bound : many) REQUIRE(find_holder(take(bound.file)) == Holder::kSomebody);
}

TEST_CASE("where the kernel does not tell, a connection that is refused decides") {
  CHECK(test::holds_in_child([] {
    const TemporaryFolder folder;
    const std::string stale = folder.file("stale");
    const std::string live = folder.file("live");
    const std::string datagrams = folder.file("datagrams");
    leave_stale_file(stale);
    const Bound server = listen_at(live);
    Bound receiver = bind_at(datagrams, SOCK_DGRAM);
    if (!forbid_netlink()) return false;
    if (find_holder(take(receiver.file)) != Holder::kUnknown) return false;
    return code_of(bind_at(stale).file) == 0 && is_refused_untouched(live) &&
           is_refused_untouched(datagrams, SOCK_STREAM);
  }));
}

TEST_CASE("of many who start at once on a stale file exactly one wins, and it can be reached") {
  constexpr int kRounds = 100;
  constexpr int kStarters = 6;
  const TemporaryFolder folder;
  for (int round = 0; round < kRounds; round++) {
    CAPTURE(round);
    const std::string path = folder.file(std::to_string(round));
    leave_stale_file(path);
    const FdPair reports = take(open_pair(SOCK_STREAM));
    FdPair gate = take(open_pipe());
    std::vector<pid_t> starters;
    for (int i = 0; i < kStarters; i++) {
      starters.push_back(test::start_child([&] {
        // All start when the parent closes its end of the gate; the winner stays until it is
        // killed.
        gate.second.reset();
        (void)take(wait_for(gate.first.get(), POLLIN, -1));
        const Bound server = bind_at(path);
        const bool won = server.file.ok() && listen_socket(server.fd.get(), 8).ok();
        (void)send(reports.second.get(), won ? "W" : "L", 1);
        if (won) ::pause();
        return true;
      }));
    }
    gate.second.reset();
    std::string results;
    while (results.size() < kStarters) {
      REQUIRE(take(wait_for(reports.first.get(), POLLIN, 10'000)) != 0);
      char result = 0;
      REQUIRE(receive(reports.first.get(), &result, 1) == 1);
      results += result;
    }
    CHECK(std::count(results.begin(), results.end(), 'W') == 1);
    CHECK(connect_error(path) == 0);
    for (const pid_t starter : starters) ::kill(starter, SIGKILL);
    for (const pid_t starter : starters) ::waitpid(starter, nullptr, 0);
  }
}

TEST_CASE("an abstract name is bound at its exact length and leaves no file") {
  const std::string name = "@sock-test-" + std::to_string(::getpid());
  Bound bound = bind_at(name);
  CHECK_FALSE(take(bound.file).exists());
  const SockAddr local = take(local_address(bound.fd.get()));
  CHECK(local.host() == name);
  CHECK(local.size() == offsetof(sockaddr_un, sun_path) + name.size());
  must(listen_socket(bound.fd.get(), 1));
  CHECK(connect_error(name) == 0);
  CHECK(connect_error(name + "x") == ECONNREFUSED);
  CHECK(code_of(bind_at(name).file) == EADDRINUSE);
}

TEST_CASE("the longest path can be bound, replaced and removed") {
  const TemporaryFolder folder;
  const std::string start = folder.file("");
  const std::string path = start + std::string(SockAddr::kPathMax - start.size(), 'p');
  leave_stale_file(path);
  Bound bound = bind_at(path);
  CHECK(take(bound.file) == identify(path));
  must(unlink_if_ours(take(SockAddr::from_path(path)), take(bound.file)));
  CHECK_FALSE(identify(path).exists());
}

TEST_CASE("addresses of other families are bound as they are") {
  const UniqueFd fd = take(open_socket(AF_INET, SOCK_STREAM));
  CHECK_FALSE(
      take(bind_unix_path(fd.get(), SOCK_STREAM, take(SockAddr::from_literal("127.0.0.1", 0))))
          .exists());
  CHECK(take(local_address(fd.get())).port() != 0);
}

TEST_CASE("a file of ours is removed") {
  const TemporaryFolder folder;
  const std::string path = folder.file("ours");
  Bound bound = bind_at(path);
  must(unlink_if_ours(take(SockAddr::from_path(path)), take(bound.file)));
  CHECK_FALSE(identify(path).exists());
  // And what is gone is no error.
  must(unlink_if_ours(take(SockAddr::from_path(path)), take(bound.file)));
}

TEST_CASE("a file that has taken the place of ours is left alone") {
  const TemporaryFolder folder;
  const std::string path = folder.file("taken-over");
  Bound first = bind_at(path);
  REQUIRE(::unlink(path.c_str()) == 0);
  Bound second = listen_at(path);
  must(unlink_if_ours(take(SockAddr::from_path(path)), take(first.file)));
  CHECK(connect_error(path) == 0);
}

TEST_CASE("there is nothing to remove for an abstract name") {
  must(unlink_if_ours(take(SockAddr::from_path("@nothing")), FileId{}));
}

}  // namespace sock::sys
