#include "layout/limits.hpp"

#include <algorithm>
#include <string>

#include "mlarray/error.hpp"

namespace mlarray::layout {
namespace {

std::int64_t budget(std::int64_t cache_bytes, double share, std::int64_t most_bytes,
                    std::int64_t itemsize) {
  const double usable =
      std::min(static_cast<double>(cache_bytes) * share, static_cast<double>(most_bytes));
  return std::max<std::int64_t>(static_cast<std::int64_t>(usable) / itemsize, 1);
}

}  // namespace

std::int64_t saturating_multiply(std::int64_t a, std::int64_t b) {
  if (a == 0 || b == 0) return 0;
  return a > kSaturated / b ? kSaturated : a * b;
}

std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  return a > kSaturated - b ? kSaturated : a + b;
}

std::int64_t saturating_product(const Shape& lengths) {
  std::int64_t product = 1;
  for (const std::int64_t length : lengths) product = saturating_multiply(product, length);
  return product;
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

Shape axis_lengths(const Shape& shape) {
  Shape lengths = shape;
  for (std::int64_t& length : lengths) length = std::max<std::int64_t>(length, 1);
  return lengths;
}

std::int64_t block_budget(const CacheSizes& caches, std::int64_t itemsize) {
  return budget(caches.l1_bytes, caches.safety_factor, kMaxBlockBytes, itemsize);
}

std::int64_t chunk_budget(const CacheSizes& caches, std::int64_t itemsize) {
  return budget(caches.l3_bytes, caches.safety_factor, kMaxChunkBytes, itemsize);
}

void check_array(const Shape& shape, std::int64_t itemsize) {
  if (shape.size() > static_cast<std::size_t>(kMaxDims)) {
    throw Error(ErrorKind::unsupported,
                "an array of " + std::to_string(shape.size()) + " axes has more than the " +
                    std::to_string(kMaxDims) + " that the format holds; merge some axes");
  }
  for (const std::int64_t length : shape) {
    if (length < 0) {
      throw Error(
          ErrorKind::invalid_value,
          "shape " + to_string(shape) + " has a negative length; lengths are 0 or more");
    }
  }
  if (itemsize < 1) {
    throw Error(ErrorKind::invalid_value, "an element of " + std::to_string(itemsize) +
                                              " bytes cannot be stored; 1 byte is the least");
  }
}

std::vector<bool> complete_mask(const Shape& shape, const std::vector<bool>& spatial_axes) {
  if (spatial_axes.empty()) return std::vector<bool>(shape.size(), true);
  if (spatial_axes.size() != shape.size()) {
    throw Error(ErrorKind::layout, "the axes are described for " +
                                       std::to_string(spatial_axes.size()) +
                                       " axes, but shape " + to_string(shape) + " has " +
                                       std::to_string(shape.size()));
  }
  return spatial_axes;
}

void check_patch(const std::vector<std::int64_t>& patch, std::size_t spatial_ndim) {
  if (patch.size() != spatial_ndim) {
    throw Error(ErrorKind::layout,
                "patch_size " + to_string(patch) + " has " + std::to_string(patch.size()) +
                    " lengths, but the array has " + std::to_string(spatial_ndim) +
                    " spatial axes; give one length for all, or one for each of them");
  }
  for (const std::int64_t length : patch) {
    if (length < 1) {
      throw Error(ErrorKind::layout,
                  "patch_size " + to_string(patch) + " has a length below 1; use 1 or more");
    }
  }
}

void check_caches(const CacheSizes& caches) {
  if (caches.l1_bytes < 1 || caches.l3_bytes < 1) {
    throw Error(ErrorKind::invalid_value, "cache sizes of " + std::to_string(caches.l1_bytes) +
                                              " and " + std::to_string(caches.l3_bytes) +
                                              " bytes: both must be 1 or more");
  }
  // Written so that a NaN fails it too.
  if (!(caches.safety_factor > 0.0 && caches.safety_factor <= 1.0)) {
    throw Error(ErrorKind::invalid_value, "safety_factor " +
                                              std::to_string(caches.safety_factor) +
                                              " is not above 0 and at most 1");
  }
}

void check_sizes(const Layout& layout, std::int64_t itemsize) {
  const auto refuse = [&](const char* what, const Shape& shape, std::int64_t bytes,
                          std::int64_t limit) {
    const std::string size = bytes == kSaturated ? "more than 2^63" : std::to_string(bytes);
    throw Error(ErrorKind::unsupported, std::string("a ") + what + " of " + to_string(shape) +
                                            " elements of " + std::to_string(itemsize) +
                                            " bytes takes " + size + " bytes, but a Blosc2 " +
                                            what + " holds at most " + std::to_string(limit) +
                                            "; ask for smaller sizes");
  };
  const std::int64_t block_bytes =
      saturating_multiply(saturating_product(layout.block), itemsize);
  // A chunk is stored as whole blocks, so it takes this much even where the array ends.
  Shape padded = layout.chunk;
  for (std::size_t axis = 0; axis < padded.size(); ++axis) {
    const std::int64_t block = layout.block[axis];
    const std::int64_t count = padded[axis] / block + (padded[axis] % block != 0 ? 1 : 0);
    padded[axis] = saturating_multiply(count, block);
  }
  const std::int64_t chunk_bytes = saturating_multiply(saturating_product(padded), itemsize);
  if (block_bytes > kMaxBlockBytes) refuse("block", layout.block, block_bytes, kMaxBlockBytes);
  if (chunk_bytes > kMaxChunkBytes) refuse("chunk", padded, chunk_bytes, kMaxChunkBytes);
}

}  // namespace mlarray::layout
