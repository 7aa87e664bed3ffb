// Layouts of our own: blocks of 32 KiB whose rows suit the decoder. The rule stands at
// choose_layout in mlarray/layout.hpp; benchmarks/measurements.md has what was measured.
//
// A block is put into the result row by row, in steps of sixteen voxels, so a row of 22 costs
// as much as one of 32. For patches of up to 32, blocks of voxels of 2 to 4 bytes shrink once:
// most of what such a patch meets was not asked for. Smaller and larger voxels gain nothing by
// it, and neither do chunks: a reader decodes blocks alone, and looks up each chunk it meets.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "layout/limits.hpp"

namespace mlarray::layout {
namespace {

constexpr std::int64_t kMostBlockBytes = std::int64_t{32} << 10;
constexpr std::int64_t kMostChunkBytes = std::int64_t{1} << 20;
constexpr std::int64_t kRow = 32;
constexpr std::int64_t kRowBytes = 128;  // more gained nothing
constexpr std::int64_t kSmallPatch = 32;
constexpr std::int64_t kEvenRow = 8;

// Doubles the axis that has the fewest patches, among equals the last, until no step fits
// `limit` elements. The end of the array cuts a step short.
void grow(std::vector<std::int64_t>& lengths, const std::vector<std::int64_t>& patch,
          const std::vector<std::int64_t>& upper, std::int64_t limit) {
  std::int64_t product = 1;
  for (const std::int64_t length : lengths) product *= length;
  while (true) {
    std::optional<std::size_t> best;
    double fewest = 0.0;
    for (std::size_t i = lengths.size(); i-- > 0;) {
      if (lengths[i] >= upper[i]) continue;
      const std::int64_t next = std::min(2 * lengths[i], upper[i]);
      if (next > limit / (product / lengths[i])) continue;
      const double patches = static_cast<double>(lengths[i]) / static_cast<double>(patch[i]);
      if (!best || patches < fewest) {
        best = i;
        fewest = patches;
      }
    }
    if (!best) return;
    const std::int64_t others = product / lengths[*best];
    lengths[*best] = std::min(2 * lengths[*best], upper[*best]);
    product = others * lengths[*best];
  }
}

// How long a row is before anything grows.
std::int64_t first_row(const std::vector<std::int64_t>& patch, std::int64_t length,
                       std::int64_t row_bytes, std::int64_t itemsize) {
  std::int64_t row = kRow;
  const std::int64_t last = patch.back();
  const bool flat = last <= *std::max_element(patch.begin(), patch.end()) / 2;
  if (flat && last < 8) {
    row = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(last)));
  } else if (flat && last <= 16) {
    row = 16;
  }
  const auto most = static_cast<std::uint64_t>(row_bytes / itemsize);
  row = std::min(row, static_cast<std::int64_t>(std::bit_floor(most)));
  return length <= row + row / 2 ? length : row;
}

// Cuts a length evenly where more than a fifth of its parts would lie beyond its end.
std::int64_t even_part(std::int64_t length, std::int64_t part, std::int64_t multiple) {
  const std::int64_t parts = divide_up(length, part);
  if (saturating_multiply(4, parts * part - length) <= length) return part;
  return std::min(divide_up(divide_up(length, parts), multiple) * multiple, part);
}

// python-blosc2 3.3.4 takes the bytes of a chunk for voxels in order where the chunk is in one
// piece in the array, also if the blocks cut it along a middle axis and no later one
// (docs/upstream.md). Such a chunk is halved along that axis.
void part_pieces(Layout& layout, const Shape& lengths) {
  std::size_t cut = lengths.size();
  while (cut > 0 && layout.block[cut - 1] == lengths[cut - 1]) --cut;
  if (cut < 2 || cut == lengths.size()) return;
  const std::size_t axis = cut - 1;
  if (layout.chunk[axis] < lengths[axis]) return;
  const std::int64_t blocks = divide_up(lengths[axis], layout.block[axis]);
  layout.chunk[axis] = divide_up(blocks, 2) * layout.block[axis];
}

}  // namespace

Layout rows_layout(const Shape& shape, const std::vector<std::int64_t>& patch,
                   const std::vector<bool>& spatial, std::int64_t itemsize) {
  const Shape lengths = axis_lengths(shape);
  std::vector<std::int64_t> upper;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (spatial[axis]) upper.push_back(lengths[axis]);
  }
  const std::int64_t longest = *std::max_element(patch.begin(), patch.end());
  const bool halved = longest <= kSmallPatch && itemsize >= 2 && itemsize <= 4;
  const std::int64_t share = halved ? 2 : 1;
  std::vector<std::int64_t> block(upper.size(), 1);
  block.back() = first_row(patch, upper.back(), kRowBytes / share, itemsize);
  grow(block, patch, upper, kMostBlockBytes / share / itemsize);
  for (std::size_t i = 0; i < block.size(); ++i) {
    block[i] = even_part(upper[i], block[i], i + 1 < block.size() ? 1 : kEvenRow);
  }

  std::vector<std::int64_t> chunk = block;
  grow(chunk, patch, upper, kMostChunkBytes / itemsize);
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    const std::int64_t blocks = divide_up(upper[i], block[i]);
    const std::int64_t together = even_part(blocks, divide_up(chunk[i], block[i]), 1);
    chunk[i] = std::min(together * block[i], upper[i]);
  }

  Layout result{Shape(shape.size(), 1), Shape(shape.size(), 1), patch};
  for (std::size_t axis = 0, i = 0; axis < shape.size(); ++axis) {
    if (!spatial[axis]) continue;
    result.block[axis] = block[i];
    result.chunk[axis] = chunk[i];
    ++i;
  }
  part_pieces(result, lengths);
  check_sizes(result, itemsize);
  return result;
}

}  // namespace mlarray::layout
