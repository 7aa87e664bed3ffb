#include "training/position_choice.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace mlarray::training {

void PositionChoice::offer(std::uint64_t first, std::uint64_t count, std::size_t most) {
  constexpr std::uint64_t kPart = std::uint64_t{1} << 32;
  while (count > 0) {
    // The upper half of the numbers stays the same, and what is kept stays small.
    const std::uint64_t part = std::min({count, kPart - first % kPart, std::uint64_t{1} << 20});
    offer_part(first, static_cast<std::uint32_t>(part), most);
    first += part;
    count -= part;
  }
}

void PositionChoice::offer_part(std::uint64_t first, std::uint32_t count, std::size_t most) {
  const auto upper = static_cast<std::uint32_t>(first >> 32);
  const auto lower = static_cast<std::uint32_t>(first);
  const std::uint32_t salt = PositionKey::salt(upper);
  const auto keep = [&](std::uint32_t hash) {
    keys_.push_back(std::uint64_t{hash} << 32 | upper);
    if (keys_.size() >= 2 * most + 64) shrink(most);
  };
  // By sixteen, which compilers do with vectors; few of them have a hash that is wanted.
  constexpr std::uint32_t kTogether = 16;
  std::uint32_t i = 0;
  for (; count - i >= kTogether; i += kTogether) {
    std::array<std::uint32_t, kTogether> hashes;
    std::uint32_t least = ~std::uint32_t{0};
    for (std::uint32_t k = 0; k < kTogether; ++k) {
      hashes[k] = PositionKey::hash(lower + i + k, salt);
    }
    for (std::uint32_t k = 0; k < kTogether; ++k) least = std::min(least, hashes[k]);
    if (least > bound_) continue;
    for (const std::uint32_t hash : hashes) {
      if (hash <= bound_) keep(hash);
    }
  }
  for (; i < count; ++i) {
    const std::uint32_t hash = PositionKey::hash(lower + i, salt);
    if (hash <= bound_) keep(hash);
  }
}

void PositionChoice::shrink(std::size_t most) {
  if (keys_.size() <= most) return;
  if (most == 0) {
    keys_.clear();
    bound_ = 0;
    return;
  }
  const auto last = keys_.begin() + static_cast<std::ptrdiff_t>(most) - 1;
  std::nth_element(keys_.begin(), last, keys_.end());
  bound_ = static_cast<std::uint32_t>(*last >> 32);
  keys_.resize(most);
}

std::vector<std::int64_t> PositionChoice::numbers() const {
  std::vector<std::int64_t> out;
  out.reserve(keys_.size());
  for (const std::uint64_t key : keys_) out.push_back(PositionKey::number(key));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace mlarray::training
