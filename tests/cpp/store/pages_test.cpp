// Lists of pages and records as somebody else may write them.
#include "store/pages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "frame/frame.hpp"
#include "mlarray/error.hpp"
#include "store/checksums.hpp"
#include "store/records.hpp"

namespace mlarray::store {
namespace {

using Bytes = std::vector<std::byte>;

PageList parsed(const Bytes& value) {
  std::size_t at = 0;
  const auto list = PageList::parse(value, at);
  return list.value_or(PageList{});
}

TEST(PageList, IsParsedOnlyIfItFitsItself) {
  PageList list = PageList::of_items(1000, 100);
  ASSERT_EQ(list.pages.size(), 7u);
  list.pages[3] = {77, 88};
  Bytes value;
  list.append_to(value);
  EXPECT_TRUE(parsed(value).same_form(list));
  EXPECT_EQ(parsed(value).pages[3], list.pages[3]);
  for (std::size_t size = 0; size < value.size(); ++size) {
    EXPECT_TRUE(parsed({value.begin(), value.begin() + static_cast<long>(size)}).pages.empty());
  }
  // Another number of bytes, of bytes of a page, of pages.
  for (const std::size_t at : {2u, 7u, 9u, 11u, 12u, 15u}) {
    Bytes changed = value;
    changed[at] ^= std::byte{0xff};
    EXPECT_TRUE(parsed(changed).pages.empty()) << at;
  }
}

// 2^24 chunks are possible in a file of some hundred bytes, and their lists would take several
// times the memory of the index.
TEST(PageList, OfMorePagesThanAreWorthALookIsEmpty) {
  const std::int64_t chunks = std::int64_t{1} << 24;
  EXPECT_TRUE(PageList::of_items(chunks, std::size_t{20} << 10).pages.empty());
  EXPECT_FALSE(PageList::of_items(chunks, 300).pages.empty());
}

std::shared_ptr<io::ByteSource> file_of(const Bytes& bytes) {
  return io::from_memory(bytes, "a.mla");
}

TEST(Pages, AreCopiedOutOfWhatIsReadWithThem) {
  const Bytes file(100'000, std::byte{5});
  PageList list = PageList::of_items(3, kPageBytes);
  for (std::size_t i = 0; i < 3; ++i) {
    list.pages[i] = {1000 * (i + 1), page_hash(std::span(file).first(kPageBytes), i)};
  }
  const auto source = file_of(file);
  const Pages pages(list, source, "a test");
  auto all = std::make_shared<const Bytes>(file);
  const std::weak_ptr<const Bytes> held = all;
  pages.take(0, {*all, all});
  EXPECT_FALSE(pages.missing(0));
  EXPECT_FALSE(pages.missing(2));
  all.reset();
  EXPECT_TRUE(held.expired()) << "a page holds all that was read with it";
  EXPECT_EQ(pages.get(1).size(), kPageBytes);
  EXPECT_EQ(pages.get(1)[7], std::byte{5});
}

TEST(Pages, OutsideTheFileAreDamaged) {
  const Bytes file(kPageBytes + 10, std::byte{5});
  for (const std::uint64_t offset :
       {std::uint64_t{11}, std::uint64_t{kPageBytes + 11}, ~std::uint64_t{0}}) {
    PageList list = PageList::of_items(1, kPageBytes);
    list.pages[0] = {offset, page_hash(std::span(file).first(kPageBytes), 0)};
    const Pages pages(list, file_of(file), "a test");
    EXPECT_FALSE(pages.missing(0));
    EXPECT_FALSE(pages.find(0));
    EXPECT_THROW(pages.get(0), Error);
  }
}

// A state of one chunk in a file of so many bytes, sealed, with these records.
std::vector<Record> records_in(const std::vector<Record>& records) {
  frame::State state;
  state.seal = Seal::valid;
  state.header.header_len = 200;
  state.header.cbytes = 10'000;
  state.header.frame_len = 11'000;
  const Bytes index(40, std::byte{1});
  const Bytes sums(50, std::byte{2});
  const Bytes list = build_record_layer(RecordBinding::of(index, sums), records);
  state.index_chunk = {index, nullptr};
  state.vlmeta.push_back({std::string(kChecksumLayer), {sums, nullptr}});
  state.vlmeta.push_back({std::string(kRecordLayer), {list, nullptr}});
  return records_of(state);
}

Record record_of(std::uint64_t bytes, std::uint32_t page_bytes, std::uint64_t offset) {
  Record record{"preview", {}};
  record.pages.bytes = bytes;
  record.pages.page_bytes = page_bytes;
  record.pages.pages.resize(static_cast<std::size_t>((bytes - 1) / page_bytes + 1));
  for (Page& page : record.pages.pages) page.offset = offset;
  return record;
}

TEST(Records, LieAmongTheChunksAndHoldNoMoreThanTheFile) {
  EXPECT_EQ(records_in({record_of(100, 100, 200)}).size(), 1u);
  EXPECT_EQ(records_in({record_of(100, 100, 10'100)}).size(), 1u);
  EXPECT_EQ(records_in({record_of(100, 100, 0)}).size(), 1u) << "an absent page";
  EXPECT_TRUE(records_in({record_of(100, 100, 199)}).empty()) << "in the header";
  EXPECT_TRUE(records_in({record_of(100, 100, 10'101)}).empty()) << "in the index";
  EXPECT_TRUE(records_in({record_of(100, 100, ~std::uint64_t{0})}).empty());
  // In one place, again and again: compaction would write each.
  EXPECT_TRUE(records_in({record_of(10'001, 1000, 300)}).empty());
  EXPECT_EQ(records_in({record_of(6000, 1000, 300), record_of(6000, 1000, 300)}).size(), 1u);
}

}  // namespace
}  // namespace mlarray::store
