// Our own data in a file: extents of the chunk area, dead bytes to Blosc2, listed in one
// metalayer. Byte level: docs/format.md, section "Records".
//
// A record says something about the chunks, and is of use only where these are the ones that it
// was made for. So the list names the index and the checksums that it was written with. Another
// Blosc2 writer keeps the list and removes the seal; an older version of this library keeps it,
// too, and seals again, but with another index or other checksums. In both cases the list is
// ignored, and our next commit leaves it out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frame/frame.hpp"
#include "store/pages.hpp"

namespace mlarray::store {

inline constexpr std::string_view kRecordLayer = "mlarray:records";

// Those of the voxels themselves, however they are cut and encoded: saving keeps them.
inline constexpr std::string_view kLabelIndex = "label_index";
inline constexpr std::array<std::string_view, 1> kRecordsOfVoxels = {kLabelIndex};

struct Record {
  std::string name;  // at most 255 bytes
  PageList pages;
};

// What a list is bound to: XXH3-128 of the index chunk and of the metalayer of the checksums.
struct RecordBinding {
  std::array<std::byte, 16> index{};
  std::array<std::byte, 16> sums{};

  static RecordBinding of(std::span<const std::byte> index_chunk,
                          std::span<const std::byte> checksum_layer);
  friend bool operator==(const RecordBinding&, const RecordBinding&) = default;
};

// The records of a state that hold; none where the list, the seal or the binding is not right.
// Nothing of the records themselves is read. Never fails for what is in the list.
std::vector<Record> records_of(const frame::State& state);

// The metalayer's chunk; empty without records.
std::vector<std::byte> build_record_layer(const RecordBinding& binding,
                                          std::span<const Record> records);

}  // namespace mlarray::store
