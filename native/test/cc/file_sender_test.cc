#include "net/file_sender.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <random>
#include <string>

#include "backends.h"
#include "support.h"
#include "sys/file_calls.h"
#include "sys/kernel_copy.h"
#include "sys/pipe.h"

namespace sock::net {

using reactor::Kind;
using reactor::Source;
using sys::FdPair;
using sys::IoResult;
using test::must;
using test::take;

namespace {

std::string random_text(size_t size) {
  std::mt19937_64 random(test::test_seed());
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

// A file, a loader, and a socket whose peer is in the test's hands.
struct Setting {
  explicit Setting(const std::string& content) : path(folder.file("it")) {
    std::ofstream(path, std::ios::binary) << content;
    FdPair ends = test::connect_tcp();
    peer = std::move(ends.second);
    source = &loop.adopt(std::move(ends.first), Kind::kTcp);
  }

  // What has come, whenever the socket is full or the file at its end.
  void read_off() {
    char block[65536];
    IoResult count = 0;
    while ((count = sys::receive(peer.get(), block, sizeof(block))) > 0) {
      received.append(block, static_cast<size_t>(count));
    }
  }

  // Sends to the end, in the way of a caller that must not block unless it says so.
  IoResult send_all(FileSender& sender, bool may_block) {
    for (;;) {
      const IoResult sent = sender.send(loop.reactor, *source, true, may_block);
      if (sent == -EINPROGRESS) {
        while (!notified.exchange(false)) (void)::poll(nullptr, 0, 1);
        for (const Loaded& loaded : loader.take()) sender.loaded(loaded);
        loads++;
      } else if (sent <= 0 && sent != -EAGAIN) {
        loop.turn();
        // What the kernel still has comes before what is said here.
        for (int i = 0; i < 1000 && received.size() < total; i++) {
          read_off();
          (void)::poll(nullptr, 0, 1);
        }
        return sent;
      }
      if (sent > 0) total += static_cast<size_t>(sent);
      read_off();
      loop.turn();
    }
  }

  test::TemporaryFolder folder;
  std::string path;
  sys::UniqueFd peer;
  test::Loop<test::Epoll> loop;
  Source* source = nullptr;
  std::atomic<bool> notified{false};
  FileLoader loader{[](void* flag) { *static_cast<std::atomic<bool>*>(flag) = true; }, &notified};
  std::string received;
  size_t total = 0;
  size_t loads = 0;
};

}  // namespace

TEST_CASE("a file arrives as it is, whoever opens it and whether it may be waited for") {
  const std::string content = random_text(3'000'003);
  for (int way = 0; way < 6; way++) {
    Setting setting(content);
    FileSender sender(1, setting.loader, 0, FileSender::kToEnd);
    if (way % 3 == 0) must(sender.open(setting.path));
    if (way % 3 == 1) sender.open_later(setting.path);
    if (way % 3 == 2) {
      const sys::UniqueFd closed_soon(::open(setting.path.c_str(), O_RDONLY | O_CLOEXEC));
      must(sender.open(closed_soon.get()));
    }
    const bool may_block = way >= 3;
    CHECK(setting.send_all(sender, may_block) == 0);
    CHECK(setting.total == content.size());
    CHECK((setting.received == content));
    if (may_block) CHECK(setting.loads == 0);
  }
}

TEST_CASE("a part of a file has its offset and its length") {
  const std::string content = random_text(1'000'000);
  Setting setting(content);
  FileSender sender(1, setting.loader, 123'456, 500'000);
  must(sender.open(setting.path));
  CHECK(setting.send_all(sender, true) == 0);
  CHECK((setting.received == content.substr(123'456, 500'000)));
}

TEST_CASE("one send moves no more than the share of a turn") {
  Setting setting(random_text(1'000'000));
  FileSender sender(1, setting.loader, 0, FileSender::kToEnd);
  must(sender.open(setting.path));
  const IoResult sent = sender.send(setting.loop.reactor, *setting.source, true, true);
  CHECK(sent > 0);
  CHECK(sent <= static_cast<IoResult>(FileSender::kPieceMax));
}

TEST_CASE("a burst moves more than a piece, and no more than its own limit") {
  Setting setting(random_text(6'000'000));
  FileSender sender(1, setting.loader, 0, FileSender::kToEnd);
  must(sender.open(setting.path));
  const IoResult sent =
      sender.send(setting.loop.reactor, *setting.source, true, true, FileSender::kBurstMax);
  CHECK(sent > static_cast<IoResult>(FileSender::kPieceMax));
  CHECK(sent <= static_cast<IoResult>(FileSender::kBurstMax));
}

TEST_CASE("a hole in the cache far ahead does not hold up the piece that is due") {
  Setting setting(random_text(8'000'000));
  const sys::UniqueFd file(::open(setting.path.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::fsync(file.get()) == 0);
  // Memory is given back in whole blocks of up to 2 MiB.
  constexpr off_t kHole = 3'500'000;
  struct statfs system {};
  REQUIRE(::fstatfs(file.get(), &system) == 0);
  if (system.f_type == TMPFS_MAGIC) {
    MESSAGE("skipped: this file system keeps its files in memory");
    return;
  }
  // The kernel keeps what somebody, itself included, looks at just then (posix_fadvise(2)).
  constexpr int kTriesMax = 200;
  bool is_gone = false;
  for (int i = 0; i < kTriesMax && !is_gone; i++) {
    if (i > 0) ::usleep(5'000);
    REQUIRE(::posix_fadvise(file.get(), 1'000'000, 0, POSIX_FADV_DONTNEED) == 0);
    is_gone = !sys::is_cached(file.get(), kHole, 4096, 4096);
  }
  REQUIRE(is_gone);
  REQUIRE(sys::is_cached(file.get(), 0, FileSender::kPieceMax, 4096));
  FileSender sender(1, setting.loader, 0, FileSender::kToEnd);
  must(sender.open(setting.path));
  const IoResult sent =
      sender.send(setting.loop.reactor, *setting.source, true, false, FileSender::kBurstMax);
  CHECK(sent == static_cast<IoResult>(FileSender::kPieceMax));
}

TEST_CASE("where the kernel does not count the cache, bytes of it are probed") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can be somebody who may not write to the file");
    return;
  }
  Setting setting(random_text(1'000'000));
  const sys::UniqueFd file(::open(setting.path.c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(test::holds_in_child([&] {
    constexpr uid_t kNobody = 65534;
    if (::setuid(kNobody) != 0) return false;
    // The count of all of the file, by the number of cachestat(2): refused, or not there.
    uint64_t range[2] = {0, 0};
    uint64_t pages[5] = {};
    const bool is_refused = ::syscall(451, file.get(), range, pages, 0U) != 0;
    constexpr size_t kStep = 64 * 1024;
    return is_refused && sys::is_cached(file.get(), 0, 1'000'000, kStep);
  }));
}

TEST_CASE("a file that is not there is told by the loader") {
  Setting setting("");
  FileSender sender(1, setting.loader, 0, FileSender::kToEnd);
  sender.open_later(setting.path + "x");
  CHECK(setting.send_all(sender, false) == -ENOENT);
  CHECK(sender.file_fault() == Syscall::kOpen);
}

TEST_CASE("what is no regular file is refused, and a FIFO does not make anybody wait") {
  Setting setting("");
  const std::string fifo = setting.folder.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  for (const std::string& path : {fifo, std::string("/dev/zero"), std::string("/tmp")}) {
    FileSender now(1, setting.loader, 0, FileSender::kToEnd);
    CHECK(test::code_of(now.open(path)) == EINVAL);
    FileSender later(2, setting.loader, 0, FileSender::kToEnd);
    later.open_later(path);
    CHECK(setting.send_all(later, false) == -EINVAL);
  }
}

TEST_CASE("a loader that ends does not wait for what it loads") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("it");
  std::ofstream(path) << random_text(1'000'000);
  for (int i = 0; i < 100; i++) {
    std::atomic<int> told{0};
    {
      FileLoader loader([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &told);
      for (uint32_t id = 0; id < 8; id++) loader.submit(Load{id, path, nullptr, 0, 1'000'000});
    }
    const int then = told;
    (void)::poll(nullptr, 0, 1);
    CHECK(told == then);
  }
}

TEST_CASE("neither way of the kernel lets SIGPIPE through") {
  CHECK(test::holds_in_child([] {
    ::signal(SIGPIPE, SIG_DFL);
    Setting setting("content");
    const sys::UniqueFd file(::open(setting.path.c_str(), O_RDONLY | O_CLOEXEC));
    FdPair ends = take(sys::open_pair(SOCK_STREAM));
    ends.second.reset();
    FdPair pipe = take(sys::open_pipe());
    const bool filled = sys::splice_file(file.get(), 0, pipe.second.get(), 7) == 7;
    return filled && sys::send_file(ends.first.get(), file.get(), 0, 7) == -EPIPE &&
           sys::splice_out(pipe.first.get(), ends.first.get(), 7) == -EPIPE;
  }));
}

}  // namespace sock::net
