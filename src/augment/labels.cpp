#include "augment/labels.hpp"

#include <algorithm>
#include <cmath>

#include "augment/kernels.hpp"

namespace mlarray::augment {
namespace {

std::vector<std::int32_t> nearest(std::int64_t length, std::int64_t fewer) {
  const float step = static_cast<float>(length) / static_cast<float>(fewer);
  std::vector<std::int32_t> kept;
  for (std::int64_t i = 0; i < fewer; ++i) {
    const auto at =
        static_cast<std::int64_t>(std::floor((static_cast<float>(i) + 0.5F) * step));
    kept.push_back(static_cast<std::int32_t>(std::min(at, length - 1)));
  }
  return kept;
}

}  // namespace

std::int64_t scaled_length(std::int64_t length, double factor) {
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(length) * factor));
}

void scale_labels(const std::int16_t* labels, const Size& size,
                  const std::vector<double>& factors, std::int16_t* out) {
  std::array<std::vector<std::int32_t>, 3> kept;
  const std::size_t skipped = 3 - factors.size();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double factor = axis < skipped ? 1 : factors[axis - skipped];
    kept[axis] = nearest(size[axis], scaled_length(size[axis], factor));
  }
  const auto row = static_cast<std::int64_t>(kept[2].size());
  for (const std::int32_t z : kept[0]) {
    for (const std::int32_t y : kept[1]) {
      kernels().pick_labels(labels + (z * size[1] + y) * size[2], kept[2].data(), row, out);
      out += row;
    }
  }
}

void replace_labels(std::int16_t* labels, std::int64_t count,
                    const std::vector<std::array<std::int64_t, 2>>& pairs) {
  for (const auto& [from, to] : pairs) {
    const auto old = static_cast<std::int16_t>(from);
    const auto fresh = static_cast<std::int16_t>(to);
    for (std::int64_t i = 0; i < count; ++i) labels[i] = labels[i] == old ? fresh : labels[i];
  }
}

template <class T>
void mark_labels(const std::int16_t* labels, std::int64_t count,
                 std::span<const std::int64_t> which, T* out) {
  std::fill_n(out, count, T{0});
  for (const std::int64_t label : which) {
    const auto wanted = static_cast<std::int16_t>(label);
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = labels[i] == wanted ? T{1} : out[i];
    }
  }
}

template void mark_labels(const std::int16_t*, std::int64_t, std::span<const std::int64_t>,
                          float*);
template void mark_labels(const std::int16_t*, std::int64_t, std::span<const std::int64_t>,
                          std::int16_t*);

}  // namespace mlarray::augment
