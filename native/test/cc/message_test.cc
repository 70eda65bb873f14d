#include "sys/message_calls.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "net/stream.h"
#include "support.h"
#include "sys/descriptor_flags.h"

namespace sock::sys {

using test::must;
using test::take;

namespace {

struct Pair {
  explicit Pair(int type = SOCK_STREAM) : ends(take(open_pair(type))) {}

  IoResult send(std::string text, const std::vector<int>& descriptors,
                std::optional<Credentials> credentials = {}) {
    iovec part{text.data(), text.size()};
    OutgoingMessage message;
    message.parts = {&part, 1};
    message.descriptors = descriptors;
    message.credentials = credentials;
    return send_message(ends.first.get(), message);
  }
  IoResult receive(IncomingMessage& message, MessageKind kind = MessageKind::kNext,
                   size_t size = 100) {
    buffer.resize(size);
    return receive_message(ends.second.get(), buffer.data(), size, kind, message);
  }

  FdPair ends;
  std::string buffer;
};

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("a descriptor comes with its bytes, close-on-exec, and is closed with its owner") {
  Pair pair;
  int number = -1;
  {
    IncomingMessage message;
    CHECK(pair.send("abc", {pair.ends.first.get(), 0}) == 3);
    CHECK(pair.receive(message) == 3);
    CHECK(pair.buffer.substr(0, 3) == "abc");
    REQUIRE(message.descriptor_count == 2);
    CHECK_FALSE(message.credentials.has_value());
    CHECK_FALSE(message.truncated);
    CHECK_FALSE(message.control_truncated);
    number = message.descriptors[0].get();
    CHECK(take(is_close_on_exec(number)));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("as many descriptors as a message may have arrive, and more are refused") {
  Pair pair;
  std::vector<int> many(kPassedMax, 0);
  CHECK(pair.send("x", many) == 1);
  IncomingMessage message;
  CHECK(pair.receive(message) == 1);
  CHECK(message.descriptor_count == kPassedMax);
  many.push_back(0);
  CHECK(pair.send("x", many) == -EINVAL);
}

TEST_CASE("a message that is looked at stays, with what it brings") {
  Pair pair;
  CHECK(pair.send("abc", {0}) == 3);
  for (const MessageKind kind : {MessageKind::kPeek, MessageKind::kPeek, MessageKind::kNext}) {
    IncomingMessage message;
    CHECK(pair.receive(message, kind) == 3);
    CHECK(message.descriptor_count == 1);
  }
  IncomingMessage message;
  CHECK(pair.receive(message) == -EAGAIN);
}

TEST_CASE("a message that is longer than the memory for it says so") {
  Pair pair(SOCK_SEQPACKET);
  CHECK(pair.send("abcdef", {}) == 6);
  IncomingMessage message;
  CHECK(pair.receive(message, MessageKind::kNext, 4) == 4);
  CHECK(message.truncated);
}

TEST_CASE("credentials come when they are asked for, stated or not") {
  Pair pair(SOCK_SEQPACKET);
  must(set_option(pair.ends.second.get(), SOL_SOCKET, SO_PASSCRED, 1));
  const Credentials mine{::getpid(), ::getuid(), ::getgid()};
  CHECK(pair.send("x", {}) == 1);
  CHECK(pair.send("y", {0}, mine) == 1);
  for (int round = 0; round < 2; round++) {
    IncomingMessage message;
    CHECK(pair.receive(message) == 1);
    REQUIRE(message.credentials.has_value());
    CHECK(message.credentials->pid == mine.pid);
    CHECK(message.credentials->uid == mine.uid);
    CHECK(message.credentials->gid == mine.gid);
  }
  CHECK(pair.send("z", {}, Credentials{1 << 30, mine.uid, mine.gid}) == -ESRCH);
}

TEST_CASE("descriptors that do not fit are lost, all of them, and the bytes are not") {
  Pair pair;
  CHECK(pair.send("abc", std::vector<int>(50, 0)) == 3);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const UniqueFd lowest(::dup(0));
  const UniqueFd next(::dup(0));
  // Room for two more, or for a few where numbers in between are free.
  const rlimit tight{static_cast<rlim_t>(next.get()) + 3, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  IncomingMessage message;
  const IoResult count = pair.receive(message);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(count == 3);
  CHECK(message.control_truncated);
  CHECK(message.descriptor_count == 0);
  const UniqueFd after(::dup(0));
  CHECK(after.get() == next.get() + 1);
}

}  // namespace sock::sys
