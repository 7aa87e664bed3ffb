// Layouts for 2-D and 3-D images with at most one channel axis: what 0.0.28 to 0.0.33 use.
//
// A block starts as the patch rounded up to powers of two, with all channels, and is halved
// along the axis that exceeds the patch most until it fits the first cache. A chunk tiles
// blocks until it fills the third cache or exceeds the patch by half.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "layout/limits.hpp"
#include "mlarray/error.hpp"

namespace mlarray {
namespace {

// Depth, height and width. A 2-D image has a depth of one; so has a 2-D patch in a 3-D image.
using Extent = std::array<std::int64_t, 3>;

// The image as the heuristic sees it.
struct Image {
  std::int64_t channels = 1;
  Extent length{1, 1, 1};
  Extent patch{1, 1, 1};
  std::array<std::optional<std::size_t>, 3> axis_of;  // position in the array's shape
  std::optional<std::size_t> channel_axis;
};

std::int64_t elements(std::int64_t channels, const Extent& extent) {
  std::int64_t product = channels;
  for (const std::int64_t length : extent) {
    product = layout::saturating_multiply(product, length);
  }
  return product;
}

double ratio(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

std::int64_t power_of_two_at_least(std::int64_t value) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 62;
  if (value >= kLargest) return kLargest;
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(value)));
}

std::int64_t power_of_two_below(std::int64_t value) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(value - 1)));
}

Image describe(const Shape& shape, const std::vector<std::int64_t>& patch,
               const std::vector<bool>& spatial_axes) {
  std::vector<bool> spatial = layout::complete_mask(shape, spatial_axes);
  // Four axes of which nothing else is said are a 3-D image with channels first.
  if (spatial_axes.empty() && shape.size() == 4 && patch.size() == 3) spatial[0] = false;

  const auto count = static_cast<std::size_t>(std::count(spatial.begin(), spatial.end(), true));
  if (count < 2 || count > 3 || shape.size() - count > 1) {
    throw Error(ErrorKind::layout,
                "shape " + to_string(shape) + " with " + std::to_string(count) +
                    " spatial axes: this layout is for 2 or 3 spatial axes and at most one "
                    "other; use the n-dimensional one");
  }
  const bool slices = count == 3 && patch.size() == 2;
  layout::check_patch(patch, slices ? 2 : count);

  Image image;
  const Shape lengths = layout::axis_lengths(shape);
  for (std::size_t axis = 0, place = 3 - count; axis < shape.size(); ++axis) {
    if (!spatial[axis]) {
      image.channel_axis = axis;
      image.channels = lengths[axis];
      continue;
    }
    image.axis_of[place] = axis;
    image.length[place] = lengths[axis];
    ++place;
  }
  std::copy(patch.rbegin(), patch.rend(), image.patch.rbegin());
  return image;
}

Extent choose_block(const Image& image, std::int64_t limit) {
  Extent block{};
  for (std::size_t i = 0; i < 3; ++i) block[i] = power_of_two_at_least(image.patch[i]);
  while (elements(image.channels, block) > limit) {
    // The axis that exceeds its patch most; among equals the last.
    std::optional<std::size_t> picked;
    for (std::size_t i = 0; i < 3; ++i) {
      if (block[i] == 1) continue;
      if (!picked ||
          ratio(block[i], image.patch[i]) >= ratio(block[*picked], image.patch[*picked])) {
        picked = i;
      }
    }
    if (!picked) break;  // the channels alone fill the cache
    block[*picked] = std::min(power_of_two_below(block[*picked]), image.length[*picked]);
  }
  for (std::size_t i = 0; i < 3; ++i) block[i] = std::min(block[i], image.length[i]);
  return block;
}

Extent choose_chunk(const Image& image, std::int64_t channels, const Extent& block,
                    double bytes_per_element, double limit_bytes) {
  Extent chunk = block;
  const bool flat_patch = image.patch[0] == 1;
  while (static_cast<double>(elements(channels, chunk)) * bytes_per_element < limit_bytes) {
    // Slices are read one at a time: once they are whole, a deeper chunk only costs.
    if (flat_patch && chunk[1] == image.length[1] && chunk[2] == image.length[2]) break;
    // The axis with the fewest blocks; among equals the first.
    std::optional<std::size_t> picked;
    for (std::size_t i = 0; i < 3; ++i) {
      if (chunk[i] == image.length[i] || image.patch[i] == 1) continue;
      if (!picked || ratio(chunk[i], block[i]) < ratio(chunk[*picked], block[*picked])) {
        picked = i;
      }
    }
    if (!picked) break;
    const std::int64_t before = chunk[*picked];
    chunk[*picked] =
        std::min(layout::saturating_add(before, block[*picked]), image.length[*picked]);
    double patches = 0.0;
    for (std::size_t i = 0; i < 3; ++i) patches += ratio(chunk[i], image.patch[i]);
    if (patches / 3.0 > 1.5) {
      // One block too many. Where the image cut that block short, what is left can be less
      // than a block, which no file can have: the former length is kept then.
      const std::int64_t back = chunk[*picked] - block[*picked];
      chunk[*picked] = back >= block[*picked] ? back : before;
      break;
    }
  }
  return chunk;
}

}  // namespace

Layout layout_for_patch_2d3d(const Shape& shape, const std::vector<std::int64_t>& patch,
                             const std::vector<bool>& spatial_axes, std::int64_t itemsize,
                             const CacheSizes& caches) {
  layout::check_array(shape, itemsize);
  layout::check_caches(caches);
  const Image image = describe(shape, patch, spatial_axes);

  const std::int64_t block_limit = layout::block_budget(caches, itemsize);
  const std::int64_t chunk_limit = layout::chunk_budget(caches, itemsize);
  const Extent block = choose_block(image, block_limit);
  // All channels stay together in a block, unless they overflow even the larger cache.
  const std::int64_t channels =
      std::min(image.channels, std::max(block_limit, chunk_limit / elements(1, block)));
  const double limit_bytes =
      std::min(static_cast<double>(caches.l3_bytes) * caches.safety_factor,
               static_cast<double>(layout::kMaxChunkBytes));
  const Extent chunk =
      choose_chunk(image, channels, block, static_cast<double>(itemsize), limit_bytes);

  Layout result{Shape(shape.size(), 1), Shape(shape.size(), 1), patch};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::optional<std::size_t>& axis = image.axis_of[i];
    if (!axis) continue;
    result.block[*axis] = block[i];
    result.chunk[*axis] = chunk[i];
  }
  if (image.channel_axis) {
    result.block[*image.channel_axis] = channels;
    result.chunk[*image.channel_axis] = channels;
  }
  layout::check_sizes(result, itemsize);
  return result;
}

}  // namespace mlarray
