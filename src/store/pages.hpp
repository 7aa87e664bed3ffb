// Bytes that lie in a file in pages, each with a hash, so that one is read, verified and
// written again without the others. Byte level: docs/format.md, section "Pages".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "io/byte_source.hpp"

namespace mlarray::store {

// What a page has at most, where one item does not need more.
inline constexpr std::size_t kPageBytes = std::size_t{16} << 10;

// Where a page is, from the start of the file, and its hash. Absent: its bytes are zeros.
struct Page {
  std::uint64_t offset = 0;
  std::uint64_t hash = 0;

  bool absent() const { return offset == 0; }
  friend bool operator==(const Page&, const Page&) = default;
};

// XXH3-64, with the number as its seed: a page in the place of another is found, too.
std::uint64_t page_hash(std::span<const std::byte> bytes, std::size_t number);

// The pages of one table, as a metalayer lists them. A value.
struct PageList {
  std::uint64_t bytes = 0;       // of all pages
  std::uint32_t page_bytes = 0;  // of each but the last, which may have less
  std::vector<Page> pages;

  // Of so many items of one size, as many whole ones to a page as kPageBytes holds, or one. All
  // are absent. Empty where a list of them is not worth its memory.
  static PageList of_items(std::int64_t count, std::size_t item_bytes);
  // From `at` on, which is moved behind it. Nothing if it does not fit itself.
  static std::optional<PageList> parse(std::span<const std::byte> value, std::size_t& at);
  void append_to(std::vector<std::byte>& value) const;

  bool same_form(const PageList& other) const {
    return bytes == other.bytes && page_bytes == other.page_bytes;
  }
  std::size_t length_of(std::size_t page) const;
  std::uint64_t stored_bytes() const;  // of the pages that are there
};

// One page, read and verified. Errors: corruption (the page, what of: `what`), io.
io::Bytes read_page(const PageList& list, std::size_t page, io::ByteSource& source,
                    std::string_view what);

// All of some bytes as pages. `append` puts one into the file and says where.
PageList append_pages(std::span<const std::byte> bytes,
                      const std::function<std::uint64_t(std::span<const std::byte>)>& append);

// Pages in a file, each verified when it is first looked at. Thread safe.
class Pages {
 public:
  // `what` they hold, for messages.
  Pages(PageList list, std::shared_ptr<io::ByteSource> source, std::string_view what);
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  const PageList& list() const { return list_; }
  // The bytes of a page that get() would have to read; nothing if there are none.
  std::optional<io::Range> missing(std::size_t page) const;
  // Valid as long as this is; empty for an absent page. Errors: corruption, io.
  std::span<const std::byte> get(std::size_t page) const;
  // Keeps those that lie in these bytes of the file, as far as they are as they were written.
  void take(std::uint64_t offset, const io::Bytes& bytes) const;
  // get() without errors: nothing where it is not as it was written.
  std::optional<std::span<const std::byte>> find(std::size_t page) const;

 private:
  std::span<const std::byte> keep(std::size_t page, io::Bytes bytes) const;

  PageList list_;
  std::shared_ptr<io::ByteSource> source_;
  std::string_view what_;
  mutable std::vector<std::atomic<const io::Bytes*>> read_;  // owned, as far as they are read
  mutable std::mutex mutex_;
};

// Pages that are being made, of items of one size. Holds those that were touched. Not
// synchronised.
class PageMaker {
 public:
  // Nothing can be set where `form` is empty.
  PageMaker(const PageList& form, std::size_t item_bytes);

  bool empty() const { return form_.pages.empty(); }
  std::int64_t page_of(std::int64_t item) const;
  std::int64_t first_item(std::int64_t page) const;
  // What is shorter than an item ends with zeros.
  void set(std::int64_t item, std::span<const std::byte> bytes);
  // To be filled; it begins as zeros.
  std::span<std::byte> page(std::int64_t page);
  std::uint64_t held_bytes() const { return held_; }

  // Puts what was touched behind `out`, which will stand at `position` of the file, and says
  // so in `list`, which has the same form. Pages of zeros are absent.
  void append_to(std::vector<std::byte>& out, std::uint64_t position, PageList& list) const;

 private:
  PageList form_;
  std::size_t item_bytes_;
  std::vector<std::vector<std::byte>> pages_;
  std::uint64_t held_ = 0;
};

// A metalayer's chunk for such a list: compressed where it is long, as that of a table with few
// pages is.
std::vector<std::byte> pack_value(std::span<const std::byte> value);

}  // namespace mlarray::store
