#include "reactor/reactor.h"

#include <unistd.h>

#include <cerrno>

#include "backends.h"
#include "support.h"

namespace sock::reactor {

using sys::FdPair;
using sys::UniqueFd;
using test::code_of;
using test::Epoll;
using test::Kqueue;
using test::Loop;
using test::must;
using test::Poll;
using test::take;

namespace {

FdPair make_pair() {
  return take(sys::open_pair(SOCK_STREAM));
}

}  // namespace

TEST_CASE_TEMPLATE("a fresh source is not registered, and counts as ready", Backend, Epoll, Kqueue,
                   Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  CHECK_FALSE(source.registered());
  CHECK_FALSE(source.has(flag::kRegistered));
  CHECK(source.has(flag::kReadable));
  CHECK(source.has(flag::kWritable));
}

TEST_CASE_TEMPLATE("a TCP source is registered once for both directions", Backend, Epoll, Kqueue,
                   Poll) {
  Loop<Backend> loop;
  FdPair connection = test::connect_tcp();
  Source& source = loop.adopt(std::move(connection.first), Kind::kTcp);
  must(loop.reactor.await(source, kRead));
  CHECK(source.has(flag::kRegistered));
  CHECK(source.interest == (kRead | kWrite));
  must(loop.reactor.await(source, kWrite));
  CHECK(source.interest == (kRead | kWrite));
}

TEST_CASE_TEMPLATE("another stream asks for room only while it waits for it", Backend, Epoll,
                   Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  must(loop.reactor.await(source, kRead));
  CHECK(source.interest == kRead);
  test::fill(source.fd.get());
  must(loop.reactor.await(source, kWrite));
  CHECK(source.interest == (kRead | kWrite));
  loop.reactor.mark_full(source);
  CHECK(loop.stays_silent());
  test::drain(pair.second.get());
  loop.turn_until(source, flag::kWritable);
  CHECK(source.interest == kRead);
  // So that what the peer takes from now on wakes nobody.
  REQUIRE(sys::send(source.fd.get(), "x", 1) == 1);
  test::drain(pair.second.get());
  CHECK(loop.stays_silent());
}

TEST_CASE_TEMPLATE("waiting to read keeps the wish to write", Backend, Epoll, Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  test::fill(source.fd.get());
  must(loop.reactor.await(source, kWrite));
  must(loop.reactor.await(source, kRead));
  CHECK(source.interest == (kRead | kWrite));
}

TEST_CASE_TEMPLATE("an event sets the flag of its direction", Backend, Epoll, Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  must(loop.reactor.await(source, kRead));
  loop.reactor.mark_drained(source);
  CHECK_FALSE(source.has(flag::kReadable));
  CHECK(loop.stays_silent());
  REQUIRE(sys::send(pair.second.get(), "x", 1) == 1);
  loop.turn_until(source, flag::kReadable);
  CHECK_FALSE(source.broken_off);
}

TEST_CASE_TEMPLATE("each drained source is told of the next bytes, again and again", Backend, Epoll,
                   Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair connection = test::connect_tcp();
  Source& source = loop.adopt(std::move(connection.first), Kind::kTcp);
  must(loop.reactor.await(source, kRead));
  for (int round = 0; round < 5; round++) {
    loop.reactor.mark_drained(source);
    REQUIRE(sys::send(connection.second.get(), "x", 1) == 1);
    loop.turn_until(source, flag::kReadable);
    CHECK(test::drain(source.fd.get()) == 1);
  }
}

TEST_CASE_TEMPLATE("an unregistered source stays ready: no event could set it again", Backend,
                   Epoll, Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  loop.reactor.mark_drained(source);
  loop.reactor.mark_full(source);
  CHECK(source.has(flag::kReadable));
  CHECK(source.has(flag::kWritable));
}

TEST_CASE_TEMPLATE("a hang-up or urgent data says that short reads prove nothing", Backend, Epoll,
                   Poll) {
  Loop<Backend> loop;
  FdPair ending = test::connect_tcp();
  FdPair urgent = test::connect_tcp();
  Source& first = loop.adopt(std::move(ending.first), Kind::kTcp);
  Source& second = loop.adopt(std::move(urgent.first), Kind::kTcp);
  for (Source* source : {&first, &second}) {
    must(loop.reactor.await(*source, kRead));
    loop.reactor.mark_drained(*source);
  }
  ending.second.reset();
  REQUIRE(::send(urgent.second.get(), "x", 1, MSG_OOB) == 1);
  loop.turn_until(first, flag::kReadable);
  loop.turn_until(second, flag::kReadable);
  CHECK(first.broken_off);
  CHECK(second.broken_off);
}

TEST_CASE_TEMPLATE("an event of a freed slot, or of its last owner, is stale", Backend, Epoll,
                   Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  FdPair next = make_pair();
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  const Token old = source.token;
  loop.reactor.close(source);
  CHECK(loop.reactor.note(Event{old, kReadable}) == nullptr);
  Source& successor = loop.adopt(std::move(next.first), Kind::kStream);
  REQUIRE(successor.token.index == old.index);
  must(loop.reactor.await(successor, kRead));
  loop.reactor.mark_drained(successor);
  CHECK(loop.reactor.note(Event{old, kReadable | kHangup}) == nullptr);
  CHECK_FALSE(successor.has(flag::kReadable));
  CHECK_FALSE(successor.broken_off);
  CHECK(loop.reactor.note(Event{successor.token, kReadable}) == &successor);
}

TEST_CASE_TEMPLATE("a forgotten source is silent while a duplicate of it lives", Backend, Epoll,
                   Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  const UniqueFd duplicate(::dup(pair.first.get()));
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  must(loop.reactor.await(source, kRead));
  loop.reactor.forget(source);
  CHECK_FALSE(source.registered());
  CHECK_FALSE(source.has(flag::kRegistered));
  REQUIRE(sys::send(pair.second.get(), "x", 1) == 1);
  CHECK(loop.stays_silent());
  // And may come back.
  source.clear(flag::kReadable);
  must(loop.reactor.await(source, kRead));
  loop.turn_until(source, flag::kReadable);
}

TEST_CASE_TEMPLATE("closing deregisters first, then closes, then frees the slot", Backend, Epoll,
                   Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  const UniqueFd duplicate(::dup(pair.first.get()));
  Source& source = loop.adopt(std::move(pair.first), Kind::kStream);
  const Token token = source.token;
  const int number = source.fd.get();
  must(loop.reactor.await(source, kRead));
  loop.reactor.close(source);
  CHECK(::write(number, "x", 1) == -1);
  CHECK(errno == EBADF);
  CHECK(loop.reactor.slots().find(token) == nullptr);
  CHECK(loop.reactor.slots().used_count() == 0);
  REQUIRE(sys::send(pair.second.get(), "x", 1) == 1);
  CHECK(loop.stays_silent());
}

TEST_CASE_TEMPLATE("a source that cannot be polled is an error and stays unregistered", Backend,
                   Epoll, Kqueue, Poll) {
  Loop<Backend> loop;
  FdPair pair = make_pair();
  const int number = pair.first.get();
  pair.first.reset();
  Source& source = loop.adopt(UniqueFd(number), Kind::kStream);
  CHECK(code_of(loop.reactor.await(source, kRead)) == EBADF);
  CHECK_FALSE(source.registered());
  CHECK_FALSE(source.has(flag::kRegistered));
  (void)source.fd.release();
}

}  // namespace sock::reactor
