// Bytes that lie in a file in pages, each with a hash, so that one is read, verified and
// written again without the others. Byte level: docs/format.md, section "Pages".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
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

// XXH3-64, so that a page in the place of another is found, too.
std::uint64_t page_hash(std::span<const std::byte> bytes, std::size_t number);

// A value, as it stands in a metalayer.
struct PageList {
  std::uint64_t bytes = 0;      // of all pages
  std::uint32_t page_bytes = 0;  // of each but the last, which may have less
  std::vector<Page> pages;

  // Of so many items, as many whole ones to a page as kPageBytes holds, or one. All absent.
  static PageList of_items(std::int64_t count, std::size_t item_bytes);
  // At `at`, which is moved behind it. Nothing if it does not fit itself.
  static std::optional<PageList> parse(std::span<const std::byte> value, std::size_t& at);
  void append_to(std::vector<std::byte>& value) const;

  // Of the same items in pages of the same size?
  bool same_form(const PageList& other) const;
  bool any() const;  // is a page present?
  std::size_t length_of(std::size_t page) const;
};

// The pages of a file, each verified when it is first looked at. Thread safe.
class Pages {
 public:
  Pages(PageList list, std::shared_ptr<io::ByteSource> source);
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  const PageList& list() const { return list_; }
  // Was it read and found whole?
  bool is_read(std::size_t page) const;
  // Valid as long as this is; empty for an absent page. Errors: corruption, io.
  std::span<const std::byte> get(std::size_t page, const char* what) const;
  // The same without errors: nothing where it is not as it was written.
  std::optional<std::span<const std::byte>> find(std::size_t page) const;

 private:
  PageList list_;
  std::shared_ptr<io::ByteSource> source_;
  mutable std::vector<std::atomic<const io::Bytes*>> read_;
  mutable std::mutex mutex_;
};

}  // namespace mlarray::store
