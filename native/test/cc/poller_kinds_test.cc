// One-shots, ends, pipes and closed descriptors: where the kernels behind the backends differ most.
#include <unistd.h>

#include <cerrno>

#include "poller_support.h"
#include "sys/pipe.h"

namespace sock::reactor {

using sys::FdPair;
using sys::UniqueFd;
using test::code_of;
using test::Epoll;
using test::Kqueue;
using test::kToken;
using test::make_pair;
using test::must;
using test::Poll;
using test::stays_silent;
using test::take;
using test::wait_for_one;
using test::write_byte;

TEST_CASE_TEMPLATE("a one-shot is reported once, whatever the direction, until it is modified",
                   Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead | kWrite | kLevel | kOneShot));
  CHECK(wait_for_one(*poller) == kWritable);
  write_byte(pair.second.get());
  CHECK(stays_silent(*poller));
  must(poller->modify(pair.first.get(), kToken, kRead | kWrite | kLevel | kOneShot));
  CHECK(wait_for_one(*poller) == (kReadable | kWritable));
  pair.second.reset();
  CHECK(stays_silent(*poller));
}

TEST_CASE_TEMPLATE("without a direction the end of both is reported, for as long as it holds",
                   Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kLevel));
  write_byte(pair.second.get());
  CHECK(stays_silent(*poller));
  must(sys::shutdown_socket(pair.second.get(), SHUT_WR));
  CHECK(stays_silent(*poller));
  pair.second.reset();
  for (int i = 0; i < 3; i++) CHECK((wait_for_one(*poller) & kBroken) != 0);
}

TEST_CASE_TEMPLATE("a pipe that nobody reads is an error", Backend, Epoll, Kqueue, Poll) {
  const auto poller = Backend::make();
  FdPair pipe = take(sys::open_pipe());
  must(poller->add(pipe.second.get(), kToken, kWrite | kLevel));
  CHECK(wait_for_one(*poller) == kWritable);
  pipe.first.reset();
  CHECK((wait_for_one(*poller) & (kError | kWritable)) == (kError | kWritable));
}

TEST_CASE_TEMPLATE("a socket that has ended its own sending is no error", Backend, Epoll, Kqueue,
                   Poll) {
  const auto poller = Backend::make();
  const FdPair connection = test::connect_tcp();
  must(sys::shutdown_socket(connection.first.get(), SHUT_WR));
  must(poller->add(connection.first.get(), kToken, kWrite | kLevel));
  CHECK(wait_for_one(*poller) == kWritable);
}

TEST_CASE("kqueue notices at modify() that the descriptor was closed") {
  const auto poller = Kqueue::make();
  FdPair pair = make_pair();
  must(poller->add(pair.first.get(), kToken, kRead));
  const int number = pair.first.get();
  const UniqueFd duplicate(::dup(number));
  pair.first.reset();
  const UniqueFd stranger(::dup2(pair.second.get(), number));
  CHECK(code_of(poller->modify(number, kToken, kRead)) == ENOENT);
  write_byte(duplicate.get());
  CHECK(stays_silent(*poller));
}

TEST_CASE("nothing of kqueue's stand-in is left open") {
  const auto next_number = [] { return UniqueFd(::dup(STDERR_FILENO)).get(); };
  const int before = next_number();
  for (int i = 0; i < 3; i++) Kqueue::make();
  CHECK(next_number() == before);
}

TEST_CASE("an unknown backend is refused, and no name means the best") {
  CHECK(code_of(make_poller("nonsense")) == EINVAL);
  CHECK(std::string(take(make_poller(""))->name()) == backends().front().name);
  for (const auto& backend : backends()) {
    CHECK(take(make_poller(backend.name))->name() == backend.name);
  }
}

}  // namespace sock::reactor
