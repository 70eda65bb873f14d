#include "reactor/slots.h"

#include <array>
#include <set>
#include <vector>

#include "support.h"

namespace sock::reactor {

namespace {

struct Table {
  Table() { slots.add_page(words.data()); }

  std::array<SharedWords, Slots::kPageSize> words{};
  Slots slots;

  Source& take() { return slots.take(sys::UniqueFd(), Kind::kStream); }
};

}  // namespace

TEST_CASE("a table without a page is full and finds nothing") {
  Slots slots;
  CHECK(slots.full());
  CHECK(slots.find(Token{0, 1}) == nullptr);
}

TEST_CASE("a token finds its source until the slot is freed") {
  Table table;
  Source& source = table.take();
  const Token token = source.token;
  CHECK(table.slots.find(token) == &source);
  table.slots.free(source);
  CHECK(table.slots.find(token) == nullptr);
}

TEST_CASE("a stale token does not find the slot's next source") {
  Table table;
  Source& first = table.take();
  const Token stale = first.token;
  table.slots.free(first);
  Source& second = table.take();
  REQUIRE(second.token.index == stale.index);
  CHECK(second.token.generation != stale.generation);
  CHECK(table.slots.find(stale) == nullptr);
  CHECK(table.slots.find(second.token) == &second);
}

TEST_CASE("tokens that never existed find nothing") {
  Table table;
  (void)table.take();
  CHECK(table.slots.find(Token{0, 0}) == nullptr);
  CHECK(table.slots.find(Token{1, 1}) == nullptr);
  CHECK(table.slots.find(Token{Slots::kPageSize, 1}) == nullptr);
  CHECK(table.slots.find(Token{UINT32_MAX, UINT32_MAX}) == nullptr);
}

TEST_CASE("after the last generation comes the first, never zero") {
  Table table;
  Source& source = table.take();
  source.token.generation = Slots::kGenerationMax;
  const Token last = source.token;
  table.slots.free(source);
  Source& next = table.take();
  REQUIRE(next.token.index == last.index);
  CHECK(next.token.generation == 1);
  CHECK(table.slots.find(last) == nullptr);
}

TEST_CASE("a taken slot starts afresh, whatever its last owner left") {
  Table table;
  Source& first = table.take();
  first.broken_off = true;
  first.interest = kRead;
  first.words->flags = 0xff;
  first.words->receive_max = 99;
  table.slots.free(first);
  Source& second = table.slots.take(sys::UniqueFd(), Kind::kTcp);
  REQUIRE(&second == &first);
  CHECK_FALSE(second.broken_off);
  CHECK_FALSE(second.registered());
  CHECK(second.kind == Kind::kTcp);
  CHECK(second.words->flags == (flag::kReadable | flag::kWritable));
  CHECK(second.words->receive_max == 0);
}

TEST_CASE("a freed slot shows no flags to JavaScript") {
  Table table;
  Source& source = table.take();
  const SharedWords* words = source.words;
  table.slots.free(source);
  CHECK(words->flags == 0);
}

TEST_CASE("every slot of a page can be taken, each once, with words of its own") {
  Table table;
  std::set<uint32_t> indices;
  std::set<SharedWords*> words;
  for (uint32_t i = 0; i < Slots::kPageSize; i++) {
    REQUIRE_FALSE(table.slots.full());
    const Source& source = table.take();
    indices.insert(source.token.index);
    words.insert(source.words);
  }
  CHECK(table.slots.full());
  CHECK(indices.size() == Slots::kPageSize);
  CHECK(words.size() == Slots::kPageSize);
  CHECK(table.slots.used_count() == Slots::kPageSize);
}

TEST_CASE("a new page leaves the sources of the old one where they are") {
  Table table;
  Source& old = table.take();
  for (uint32_t i = 1; i < Slots::kPageSize; i++) (void)table.take();
  std::array<SharedWords, Slots::kPageSize> more{};
  table.slots.add_page(more.data());
  CHECK(table.slots.page_count() == 2);
  Source& young = table.take();
  CHECK(young.token.index == Slots::kPageSize);
  CHECK(young.words == &more[0]);
  CHECK(table.slots.find(old.token) == &old);
}

TEST_CASE("a visit sees the taken slots only") {
  Table table;
  Source& first = table.take();
  Source& second = table.take();
  Source& third = table.take();
  table.slots.free(second);
  std::set<Source*> seen;
  table.slots.for_each([&](Source& source) { seen.insert(&source); });
  CHECK(seen == std::set<Source*>{&first, &third});
}

TEST_CASE("freeing a slot twice stops the process") {
  CHECK(test::aborts_in_child([] {
    Table table;
    Source& source = table.take();
    table.slots.free(source);
    table.slots.free(source);
  }));
}

}  // namespace sock::reactor
