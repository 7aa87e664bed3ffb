// The checksums of all blocks of an array, as a metalayer of the file.
// Byte level: docs/format.md, section "Checksums".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace mlarray::array {

inline constexpr std::string_view kChecksumLayer = "mlarray:checksums";

class Checksums {
 public:
  Checksums() = default;
  Checksums(std::int64_t chunk_count, std::int64_t block_count);

  // From the metalayer's chunk. Nothing if it is of another version or another grid.
  static std::optional<Checksums> parse(std::span<const std::byte> chunk,
                                        std::int64_t chunk_count, std::int64_t block_count);
  // The metalayer's chunk; empty if the table would pass the size the format can hold, in
  // which case the file goes without checksums.
  std::vector<std::byte> build() const;

  // `sums` has one entry per block, or none: the chunk has no checksums.
  void set(std::int64_t chunk, std::span<const std::uint32_t> sums);
  std::span<const std::uint32_t> of_chunk(std::int64_t chunk) const;

 private:
  std::int64_t block_count_ = 0;
  std::vector<std::uint32_t> sums_;
};

}  // namespace mlarray::array
