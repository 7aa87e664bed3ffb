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
// `owner` keeps them alive, where they are not in the file.
struct ChunkSums {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  // Of chunks as they were when the file was opened; their blocks count from `first_block` on.
  FoundWhole* whole = nullptr;
  std::size_t first_block = 0;

  // codec::kNoChecksum if none is recorded.
  std::uint32_t of_block(std::int32_t block) const;
};

// The table of a file, where it lies: nothing is copied, a sum is read when it is needed.
class ChecksumTable {
 public:
  ChecksumTable() = default;  // nothing recorded

  // From the metalayer's chunk. Nothing recorded if it is of another version or grid.
  static ChecksumTable parse(io::Bytes chunk, std::int64_t chunk_count,
                             std::int64_t block_count);

  // Of the metalayer's chunk that holds such a table; 0 if there is none.
  static std::uint64_t stored_bytes(std::int64_t chunk_count, std::int64_t block_count);

  bool empty() const { return layer_.data.empty(); }
  // Without an owner: valid as long as the table is.
  ChunkSums of_chunk(std::int64_t chunk) const;

 private:
  friend class ChecksumBuilder;
  io::Bytes layer_;  // the bytes of all sums
  std::size_t chunk_bytes_ = 0;
  std::shared_ptr<FoundWhole> whole_;
};

// Makes a table. Not synchronised.
class ChecksumBuilder {
 public:
  // Begins with what `base` has recorded. Keeps nothing if the table would pass the size that
  // the format can hold: the file then goes without checksums.
  ChecksumBuilder(std::int64_t chunk_count, std::int64_t block_count,
                  const ChecksumTable& base = {});

  // As stored: 4 bytes per block, or none to record nothing.
  void set(std::int64_t chunk, std::span<const std::byte> sums);
  // The metalayer's chunk, empty if there is no table.
  std::vector<std::byte> build() &&;

 private:
  std::size_t chunk_bytes_ = 0;
  std::vector<std::byte> raw_;  // the metalayer's value
};

// As a table stores them.
std::vector<std::byte> stored_sums(std::span<const std::uint32_t> sums);

}  // namespace mlarray::store
