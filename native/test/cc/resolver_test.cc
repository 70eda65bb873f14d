#include "dns/resolver.h"

#include <netdb.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"
#include "support.h"

namespace sock::dns {

namespace {

using std::chrono::milliseconds;

// How many threads have asked the fake server and not ended since.
std::atomic<size_t> asking_threads = 0;

struct CountedThread {
  CountedThread() { asking_threads++; }
  ~CountedThread() { asking_threads--; }
};

void wait_for_threads(size_t count) {
  const double deadline_ms = now_ms() + 10'000;
  while (asking_threads != count) {
    REQUIRE(now_ms() < deadline_ms);
    std::this_thread::sleep_for(milliseconds(1));
  }
}

// A name server that answers a name when the test lets it. Shared with lookups that outlive the
// resolver, and even the test.
class FakeServer {
 public:
  Answer answer(const Question& question) {
    static thread_local const CountedThread counted;
    (void)counted;
    std::unique_lock lock(mutex_);
    asked_.push_back(question.host);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !blocks_ || released_.contains(question.host); });
    answered_count_++;
    changed_.notify_all();
    return Answer{question.id, 0, 0, {sys::SockAddr::any(AF_INET, question.port)}};
  }

  void block() {
    const std::lock_guard lock(mutex_);
    blocks_ = true;
  }
  void release(const std::string& host) {
    const std::lock_guard lock(mutex_);
    released_.insert(host);
    changed_.notify_all();
  }
  void release_all() {
    const std::lock_guard lock(mutex_);
    blocks_ = false;
    changed_.notify_all();
  }
  void wait_until_asked(size_t count) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, milliseconds(10'000), [&] { return asked_.size() >= count; }));
  }
  void wait_until_answered(size_t count) {
    std::unique_lock lock(mutex_);
    REQUIRE(
        changed_.wait_for(lock, milliseconds(10'000), [&] { return answered_count_ >= count; }));
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool blocks_ = false;
  std::set<std::string> released_;
  std::vector<std::string> asked_;
  size_t answered_count_ = 0;
};

// Counts calls of notify, and lets the owner wait for them.
class Bell {
 public:
  static void ring_it(void* bell) { static_cast<Bell*>(bell)->ring(); }

  void ring() {
    const std::lock_guard lock(mutex_);
    count_++;
    rung_.notify_all();
  }
  bool wait_beyond(size_t count, milliseconds limit = milliseconds(10'000)) {
    std::unique_lock lock(mutex_);
    return rung_.wait_for(lock, limit, [&] { return count_ > count; });
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable rung_;
  size_t count_ = 0;
};

struct Fixture {
  explicit Fixture(const Limits& limits = {})
      : resolver(std::make_unique<Resolver>(
            limits, Bell::ring_it, bell.get(),
            [shared = server](const Question& question) { return shared->answer(question); })) {}
  // No thread of one test is left to run into the next.
  ~Fixture() {
    server->release_all();
    resolver.reset();
    while (asking_threads > 0) std::this_thread::sleep_for(milliseconds(1));
  }

  bool ask(uint32_t id, const std::string& host) {
    return resolver->submit({id, host, AF_UNSPEC, 0, 80});
  }
  // Takes answers until there are as many as asked for; their ids in the order they came.
  std::vector<uint32_t> take_ids(size_t count) {
    std::vector<uint32_t> ids;
    for (;;) {
      const size_t rung_count = bell->count();
      for (const Answer& answer : resolver->take()) ids.push_back(answer.id);
      if (ids.size() >= count) return ids;
      REQUIRE(bell->wait_beyond(rung_count));
    }
  }

  std::shared_ptr<FakeServer> server = std::make_shared<FakeServer>();
  std::unique_ptr<Bell> bell = std::make_unique<Bell>();
  std::unique_ptr<Resolver> resolver;
};

using Ids = std::vector<uint32_t>;
using Names = std::vector<std::string>;

constexpr Limits one_thread{.threads = 1, .threads_max = 1};

Answer look_up(const std::string& host, int flags, int family = AF_UNSPEC) {
  return system_lookup(Question{7, host, family, flags, 8080});
}

}  // namespace

// First of all tests: some sanitizers do not let a process fork while it has other threads.
TEST_CASE("when no thread can be made the question is answered with the reason") {
  CHECK(test::holds_in_child([] {
    // The limit does not bind root.
    if (::geteuid() == 0 && ::setuid(65534) != 0) return false;
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) return false;
    Bell bell;
    Resolver resolver({}, Bell::ring_it, &bell);
    if (!resolver.submit({7, "127.0.0.1", AF_UNSPEC, AI_NUMERICHOST, 80})) return false;
    const std::vector<Answer> answers = resolver.take();
    return bell.count() == 1 && answers.size() == 1 && answers[0].id == 7 &&
           answers[0].gai_code == EAI_SYSTEM && answers[0].system_errno == EAGAIN;
  }));
}

TEST_CASE("a question is answered on another thread, with its id and port") {
  std::atomic<bool> on_this_thread = true;
  Bell bell;
  Resolver resolver(
      {}, Bell::ring_it, &bell, [&, self = std::this_thread::get_id()](const Question& question) {
        on_this_thread = std::this_thread::get_id() == self;
        return Answer{question.id, 0, 0, {sys::SockAddr::any(question.family, question.port)}};
      });
  REQUIRE(resolver.submit({7, "name", AF_INET6, 0, 8080}));
  REQUIRE(bell.wait_beyond(0));
  const std::vector<Answer> answers = resolver.take();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == 7);
  REQUIRE(answers[0].addresses.size() == 1);
  CHECK(answers[0].addresses[0].family() == AF_INET6);
  CHECK(answers[0].addresses[0].port() == 8080);
  CHECK_FALSE(on_this_thread);
}

TEST_CASE("the system's resolver reads a literal, once for all types of socket") {
  const Answer four = look_up("192.0.2.1", AI_NUMERICHOST);
  CHECK(four.id == 7);
  CHECK(four.gai_code == 0);
  REQUIRE(four.addresses.size() == 1);
  CHECK(four.addresses[0].host() == "192.0.2.1");
  CHECK(four.addresses[0].port() == 8080);
  const Answer six = look_up("2001:db8::1", AI_NUMERICHOST);
  REQUIRE(six.addresses.size() == 1);
  CHECK(six.addresses[0].host() == "2001:db8::1");
  CHECK(six.addresses[0].port() == 8080);
}

TEST_CASE("the system's resolver gives the family asked for, or none") {
  CHECK(look_up("::1", AI_NUMERICHOST, AF_INET6).addresses.size() == 1);
  const Answer wrong = look_up("::1", AI_NUMERICHOST, AF_INET);
  CHECK(wrong.gai_code != 0);
  CHECK(wrong.addresses.empty());
}

TEST_CASE("the system's resolver knows the name of this host's loopback") {
  const Answer answer = look_up("localhost", 0, AF_INET);
  CHECK(answer.gai_code == 0);
  REQUIRE_FALSE(answer.addresses.empty());
  CHECK(answer.addresses[0].host() == "127.0.0.1");
}

TEST_CASE("a name that is none fails with the resolver's code") {
  CHECK(look_up("no literal", AI_NUMERICHOST).gai_code == EAI_NONAME);
  CHECK(look_up("", AI_NUMERICHOST).gai_code == EAI_NONAME);
  CHECK(look_up(std::string("127.0.0.1\0x", 11), AI_NUMERICHOST).gai_code == EAI_NONAME);
}

TEST_CASE("the system's resolver gives the name of an address, or says that it has none") {
  const Answer loopback = system_lookup({.id = 7, .host = "127.0.0.1", .reverse = true});
  CHECK(loopback.id == 7);
  CHECK(loopback.gai_code == 0);
  CHECK(loopback.name == "localhost");
  CHECK(loopback.addresses.empty());
  const Answer none = system_lookup({.host = "no address", .reverse = true});
  CHECK(none.gai_code == EAI_NONAME);
  CHECK(none.name.empty());
}

TEST_CASE("questions are looked up in the order they came") {
  Fixture fixture(one_thread);
  for (uint32_t id = 0; id < 5; id++) REQUIRE(fixture.ask(id, std::string(1, char('a' + id))));
  CHECK(fixture.take_ids(5) == Ids{0, 1, 2, 3, 4});
  CHECK(fixture.server->asked() == Names{"a", "b", "c", "d", "e"});
}

TEST_CASE("as many lookups run at once as there are threads, and no more") {
  Fixture fixture({.threads = 3, .threads_max = 8});
  fixture.server->block();
  for (uint32_t id = 0; id < 6; id++) REQUIRE(fixture.ask(id, std::to_string(id)));
  fixture.server->wait_until_asked(3);
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(fixture.server->asked().size() == 3);
  fixture.server->release_all();
  CHECK(fixture.take_ids(6).size() == 6);
}

TEST_CASE("a full queue refuses, and what runs does not count") {
  Fixture fixture({.threads = 1, .threads_max = 1, .pending_max = 2});
  fixture.server->block();
  REQUIRE(fixture.ask(0, "running"));
  fixture.server->wait_until_asked(1);
  CHECK(fixture.ask(1, "first"));
  CHECK(fixture.ask(2, "second"));
  CHECK_FALSE(fixture.ask(3, "refused"));
  fixture.resolver->cancel(1);
  CHECK(fixture.ask(4, "third"));
  fixture.server->release_all();
  CHECK(fixture.take_ids(3) == Ids{0, 2, 4});
}

TEST_CASE("the queue can be made longer and shorter, and keeps what it has") {
  Fixture fixture({.threads = 1, .threads_max = 1, .pending_max = 1});
  fixture.server->block();
  CHECK(fixture.ask(0, "running"));
  fixture.server->wait_until_asked(1);
  CHECK(fixture.ask(1, "waits"));
  CHECK_FALSE(fixture.ask(2, "too many"));
  fixture.resolver->set_pending_max(2);
  CHECK(fixture.ask(2, "fits now"));
  fixture.resolver->set_pending_max(0);
  CHECK_FALSE(fixture.ask(3, "too many"));
  CHECK(fixture.resolver->load().pending == 2);
  fixture.server->release_all();
  CHECK(fixture.take_ids(3) == std::vector<uint32_t>{0, 1, 2});
}

TEST_CASE("a resolver tells how many threads it has, and how many are stuck") {
  Fixture fixture({.threads = 1, .threads_max = 2});
  CHECK(fixture.resolver->load().threads == 0);
  fixture.server->block();
  CHECK(fixture.ask(0, "hangs"));
  fixture.server->wait_until_asked(1);
  CHECK(fixture.ask(1, "waits"));
  CHECK(fixture.resolver->load().threads == 1);
  CHECK(fixture.resolver->load().stuck == 0);
  CHECK(fixture.resolver->load().pending == 1);
  fixture.resolver->cancel(0);
  fixture.server->wait_until_asked(2);
  CHECK(fixture.resolver->load().threads == 2);
  CHECK(fixture.resolver->load().stuck == 1);
  CHECK(fixture.resolver->load().pending == 0);
}

TEST_CASE("a queued question that is cancelled is never looked up") {
  Fixture fixture(one_thread);
  fixture.server->block();
  REQUIRE(fixture.ask(0, "running"));
  REQUIRE(fixture.ask(1, "cancelled"));
  REQUIRE(fixture.ask(2, "kept"));
  fixture.resolver->cancel(1);
  fixture.server->release_all();
  CHECK(fixture.take_ids(2) == Ids{0, 2});
  CHECK(fixture.server->asked() == Names{"running", "kept"});
}

TEST_CASE("the answer of a cancelled lookup never comes, and its thread works on") {
  Fixture fixture(one_thread);
  fixture.server->block();
  REQUIRE(fixture.ask(0, "hangs"));
  fixture.server->wait_until_asked(1);
  fixture.resolver->cancel(0);
  REQUIRE(fixture.ask(1, "next"));
  fixture.server->release_all();
  CHECK(fixture.take_ids(1) == Ids{1});
  CHECK(fixture.resolver->take().empty());
}

TEST_CASE("an answer that waits to be taken can still be cancelled") {
  Fixture fixture(one_thread);
  REQUIRE(fixture.ask(0, "done"));
  REQUIRE(fixture.bell->wait_beyond(0));
  fixture.resolver->cancel(0);
  CHECK(fixture.resolver->take().empty());
  REQUIRE(fixture.ask(1, "next"));
  CHECK(fixture.take_ids(1) == Ids{1});
}

TEST_CASE("a cancelled id can be used again while its old lookup still hangs") {
  Fixture fixture({.threads = 1, .threads_max = 2});
  fixture.server->block();
  REQUIRE(fixture.ask(0, "old"));
  fixture.server->wait_until_asked(1);
  fixture.resolver->cancel(0);
  REQUIRE(fixture.ask(0, "new"));
  fixture.server->wait_until_asked(2);
  fixture.server->release("old");
  fixture.server->wait_until_answered(1);
  CHECK(fixture.resolver->take().empty());
  fixture.server->release("new");
  CHECK(fixture.take_ids(1) == Ids{0});
}

TEST_CASE("an id that is used again can be cancelled again") {
  Fixture fixture({.threads = 1, .threads_max = 3});
  fixture.server->block();
  for (uint32_t round = 0; round < 2; round++) {
    REQUIRE(fixture.ask(0, "hangs"));
    fixture.server->wait_until_asked(round + 1);
    fixture.resolver->cancel(0);
  }
  REQUIRE(fixture.ask(1, "next"));
  fixture.server->wait_until_asked(3);
  fixture.server->release("hangs");
  fixture.server->wait_until_answered(2);
  fixture.server->release("next");
  CHECK(fixture.take_ids(1) == Ids{1});
}

TEST_CASE("cancelling what was never asked, or was taken, does nothing") {
  Fixture fixture(one_thread);
  fixture.resolver->cancel(99);
  REQUIRE(fixture.ask(0, "name"));
  CHECK(fixture.take_ids(1) == Ids{0});
  fixture.resolver->cancel(0);
  REQUIRE(fixture.ask(0, "name"));
  CHECK(fixture.take_ids(1) == Ids{0});
}

TEST_CASE("a stuck thread is replaced, up to the maximum") {
  Fixture fixture({.threads = 1, .threads_max = 3});
  fixture.server->block();
  for (uint32_t id = 0; id < 3; id++) {
    REQUIRE(fixture.ask(id, "hangs" + std::to_string(id)));
    fixture.server->wait_until_asked(id + 1);
    fixture.resolver->cancel(id);
  }
  REQUIRE(fixture.ask(3, "waits"));
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(fixture.server->asked().size() == 3);
  // One of the stuck comes back, and takes the question that waits.
  fixture.server->release("waits");
  fixture.server->release("hangs1");
  CHECK(fixture.take_ids(1) == Ids{3});
}

TEST_CASE("a question that already waits gets the place of a lookup that is cancelled") {
  Fixture fixture({.threads = 1, .threads_max = 2});
  fixture.server->block();
  REQUIRE(fixture.ask(0, "hangs"));
  fixture.server->wait_until_asked(1);
  REQUIRE(fixture.ask(1, "waits"));
  fixture.server->release("waits");
  fixture.resolver->cancel(0);
  CHECK(fixture.take_ids(1) == Ids{1});
}

TEST_CASE("of stuck threads that come back only as many stay as are to work") {
  Fixture fixture({.threads = 2, .threads_max = 8, .idle_ms = 60'000});
  fixture.server->block();
  for (uint32_t id = 0; id < 8; id++) {
    REQUIRE(fixture.ask(id, std::to_string(id)));
    fixture.server->wait_until_asked(id + 1);
    fixture.resolver->cancel(id);
  }
  CHECK(asking_threads == 8);
  fixture.server->release_all();
  wait_for_threads(2);
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(asking_threads == 2);
}

TEST_CASE("an idle thread is used again") {
  Fixture fixture({.threads = 4, .threads_max = 4, .idle_ms = 60'000});
  for (uint32_t id = 0; id < 20; id++) {
    REQUIRE(fixture.ask(id, "name"));
    CHECK(fixture.take_ids(1) == Ids{id});
  }
  CHECK(asking_threads == 1);
}

TEST_CASE("a thread ends when nothing comes, and another begins when something does") {
  Fixture fixture({.threads = 4, .threads_max = 4, .idle_ms = 1});
  REQUIRE(fixture.ask(0, "name"));
  CHECK(fixture.take_ids(1) == Ids{0});
  wait_for_threads(0);
  REQUIRE(fixture.ask(1, "name"));
  CHECK(fixture.take_ids(1) == Ids{1});
}

TEST_CASE("the owner is told once until it takes") {
  Fixture fixture(one_thread);
  for (uint32_t id = 0; id < 3; id++) REQUIRE(fixture.ask(id, "name"));
  fixture.server->wait_until_answered(3);
  REQUIRE(fixture.ask(3, "last"));
  fixture.server->wait_until_asked(4);  // so the third answer was delivered
  CHECK(fixture.bell->count() == 1);
  CHECK(fixture.take_ids(4).size() == 4);
}

TEST_CASE(
    "whoever watches a question is told when its answer can be taken, wherever it is by then") {
  Fixture it(one_thread);
  const auto watcher = test::take(sys::Notifier::make());
  const auto other = test::take(sys::Notifier::make());
  const auto told = [](const sys::Notifier& notifier, int timeout_ms) {
    pollfd entry{.fd = notifier.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, timeout_ms) == 1;
  };
  it.server->block();
  it.ask(1, "running");
  it.server->wait_until_asked(1);
  it.ask(2, "waiting");
  it.resolver->watch(1, watcher);
  it.resolver->watch(1, watcher);
  it.resolver->watch(2, other);
  CHECK_FALSE(told(*watcher, 0));
  it.server->release("running");
  CHECK(told(*watcher, 10'000));
  CHECK(it.take_ids(1) == Ids{1});
  CHECK_FALSE(told(*other, 0));
  it.server->release("waiting");
  CHECK(told(*other, 10'000));
  // An answer that is there already.
  watcher->clear();
  it.resolver->watch(2, watcher);
  CHECK(told(*watcher, 0));
  CHECK(it.take_ids(1) == Ids{2});
}

TEST_CASE("whoever watches a question that is cancelled is not told") {
  Fixture it(one_thread);
  const auto watcher = test::take(sys::Notifier::make());
  it.server->block();
  it.ask(1, "running");
  it.server->wait_until_asked(1);
  it.resolver->watch(1, watcher);
  it.resolver->cancel(1);
  it.server->release("running");
  it.server->wait_until_answered(1);
  it.ask(2, "next");
  it.server->release("next");
  CHECK(it.take_ids(1) == Ids{2});
  pollfd entry{.fd = watcher->fd(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&entry, 1, 0) == 0);
}

TEST_CASE("the resolver can go while lookups run: it does not wait, and nobody is told") {
  const auto server = std::make_shared<FakeServer>();
  server->block();
  Bell bell;
  auto resolver = std::make_unique<Resolver>(
      Limits{.threads = 2, .threads_max = 2}, Bell::ring_it, &bell,
      [server](const Question& question) { return server->answer(question); });
  for (uint32_t id = 0; id < 4; id++) REQUIRE(resolver->submit({id, "name", AF_UNSPEC, 0, 80}));
  server->wait_until_asked(2);
  const double before_ms = now_ms();
  resolver.reset();
  CHECK(now_ms() - before_ms < 5000);
  server->release_all();
  server->wait_until_answered(2);
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(bell.count() == 0);
  CHECK(server->asked().size() == 2);
}

TEST_CASE("the resolver can go at any moment of busy threads") {
  for (int round = 0; round < 200; round++) {
    Bell bell;
    Resolver resolver({}, Bell::ring_it, &bell, [](const Question& question) {
      return Answer{question.id, 0, 0, {}};
    });
    for (uint32_t id = 0; id < 8; id++) REQUIRE(resolver.submit({id, "name", AF_UNSPEC, 0, 80}));
    if (round % 2 == 0) REQUIRE(bell.wait_beyond(0));
  }
}

TEST_CASE("a resolver's threads take no signals") {
  std::atomic<bool> all_blocked = false;
  Bell bell;
  Resolver resolver({}, Bell::ring_it, &bell, [&](const Question& question) {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    all_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGINT) == 1 &&
                  sigismember(&blocked, SIGUSR1) == 1 && sigismember(&blocked, SIGPROF) == 1;
    return Answer{question.id, 0, 0, {}};
  });
  REQUIRE(resolver.submit({0, "name", AF_UNSPEC, 0, 80}));
  REQUIRE(bell.wait_beyond(0));
  CHECK(all_blocked);
  sigset_t mine;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  CHECK(sigismember(&mine, SIGTERM) == 0);
}

TEST_CASE("whatever is cancelled when, every other question is answered exactly once") {
  const uint64_t seed = test::test_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Bell bell;
  Resolver resolver({.threads = 3, .threads_max = 6, .pending_max = 50, .idle_ms = 1},
                    Bell::ring_it, &bell, [](const Question& question) {
                      std::this_thread::sleep_for(std::chrono::microseconds(question.port));
                      return Answer{question.id, 0, 0, {}};
                    });
  std::set<uint32_t> expected;
  const auto collect = [&] {
    for (const Answer& answer : resolver.take()) REQUIRE(expected.erase(answer.id) == 1);
  };
  for (uint32_t id = 0; id < 2000; id++) {
    if (resolver.submit({id, "name", AF_UNSPEC, 0, static_cast<uint16_t>(random() % 300)})) {
      expected.insert(id);
    }
    if (random() % 3 == 0 && !expected.empty()) {
      const auto victim = std::next(expected.begin(), static_cast<int>(random() % expected.size()));
      resolver.cancel(*victim);
      expected.erase(victim);
    }
    if (random() % 5 == 0) collect();
    if (random() % 50 == 0) std::this_thread::sleep_for(milliseconds(2));
  }
  while (!expected.empty()) {
    const size_t rung_count = bell.count();
    collect();
    if (!expected.empty()) REQUIRE(bell.wait_beyond(rung_count));
  }
}

}  // namespace sock::dns
