// The checksums of all blocks of an array, as a metalayer of the file.
// Byte level: docs/format.md, section "Checksums".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "io/byte_source.hpp"
#include "store/pages.hpp"

namespace mlarray::store {

inline constexpr std::string_view kChecksumLayer = "mlarray:checksums";

// Which blocks of an open file were found whole, so that the next read of one need not hash it
// again. Thread safe.
class FoundWhole {
 public:
  explicit FoundWhole(std::size_t blocks) : words_((blocks + kBits - 1) / kBits) {}

  bool get(std::size_t block) const noexcept {
    return (words_[block / kBits].load(std::memory_order_relaxed) & bit(block)) != 0;
  }
  void set(std::size_t block) noexcept {
    words_[block / kBits].fetch_or(bit(block), std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t kBits = 64;
  static std::uint64_t bit(std::size_t block) noexcept {
    return std::uint64_t{1} << (block % kBits);
  }
  std::vector<std::atomic<std::uint64_t>> words_;
};

// What is recorded of one chunk: 4 little-endian bytes per block, as on disk; empty if nothing.
// Valid as long as what they were taken from. Where they lie in a page of the file, that is
// read when a sum is asked for.
class ChunkSums {
 public:
  ChunkSums() = default;
  explicit ChunkSums(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // codec::kNoChecksum if none is recorded. Errors of both: corruption (of the page), io.
  std::uint32_t of_block(std::int32_t block) const;
  std::span<const std::byte> stored() const;

  // Of chunks as they were when the file was opened; their blocks count from `first_block` on.
  FoundWhole* whole = nullptr;
  std::size_t first_block = 0;

 private:
  friend class ChecksumTable;
  std::span<const std::byte> bytes_;
  const Pages* pages_ = nullptr;
  std::size_t page_ = 0;
  std::size_t at_ = 0;  // in the page
  std::size_t length_ = 0;
  bool lenient_ = false;
};

// The table of a file, where it lies: nothing is copied, a sum is read when it is needed.
class ChecksumTable {
 public:
  // What is done about a page that is damaged.
  enum class Damaged { is_an_error, has_no_sums };

  ChecksumTable() = default;  // nothing recorded

  // From the metalayer's chunk; `source` has the pages of a large table. Nothing recorded if it
  // is of another version or grid.
  static ChecksumTable parse(io::Bytes chunk, std::shared_ptr<io::ByteSource> source,
                             std::int64_t chunk_count, std::int64_t block_count,
                             Damaged damaged = Damaged::is_an_error);

  // The metalayer's chunk that holds such a table itself; 0 if there is none.
  static std::uint64_t stored_bytes(std::int64_t chunk_count, std::int64_t block_count);
  // A large table lies in pages, which our commits write. Its metalayer's chunk has at most so
  // many bytes.
  static constexpr std::uint64_t kMostLargeLayer = (std::uint64_t{1} << 20) + 4096;
  static bool is_large(std::int64_t chunk_count, std::int64_t block_count);

  bool empty() const { return layer_.data.empty() && !pages_; }
  // Of a table in pages; else nullptr.
  const PageList* pages() const { return pages_ ? &pages_->list() : nullptr; }
  // Whose sums are in one page, and are written again together; 0 without pages.
  std::int64_t chunks_of_page() const { return static_cast<std::int64_t>(per_page_); }
  ChunkSums of_chunk(std::int64_t chunk) const;
  // The missing pages of the sums of these chunks; and keeps those that lie in such bytes.
  std::vector<io::Range> pages_to_read(std::span<const std::int64_t> chunks) const;
  void take(std::uint64_t offset, const io::Bytes& bytes) const;

 private:
  static ChecksumTable parse_large(const io::Bytes& chunk,
                                   std::shared_ptr<io::ByteSource> source,
                                   std::int64_t chunk_count, std::int64_t block_count);

  io::Bytes layer_;  // the bytes of all sums
  std::shared_ptr<const Pages> pages_;
  std::size_t chunk_bytes_ = 0;
  std::size_t per_page_ = 0;  // chunks
  bool lenient_ = false;
  std::shared_ptr<FoundWhole> whole_;
};

// Makes a table. Not synchronised.
class ChecksumBuilder {
 public:
  // Keeps nothing if the table would pass the size that the format can hold: the file then goes
  // without checksums.
  ChecksumBuilder(std::int64_t chunk_count, std::int64_t block_count);

  // As stored: 4 bytes per block, or none to record nothing.
  void set(std::int64_t chunk, std::span<const std::byte> sums);
  // Of a table in pages: those that are to be written. Empty otherwise.
  PageMaker& pages() { return pages_; }
  // The metalayer's chunk, empty if there is no table. Of one in pages `list` has its form:
  // what was set is put behind `out`, which will stand at `position`, the rest stays.
  std::vector<std::byte> build(std::vector<std::byte>& out, std::uint64_t position,
                               PageList& list);

 private:
  std::size_t chunk_bytes_ = 0;
  std::int32_t block_count_ = 0;
  std::vector<std::byte> raw_;  // the metalayer's value
  PageMaker pages_;
};

// The form of the pages of a large table, all absent; else empty.
PageList checksum_pages(std::int64_t chunk_count, std::int64_t block_count);

// As a table stores them.
std::vector<std::byte> stored_sums(std::span<const std::uint32_t> sums);

}  // namespace mlarray::store
