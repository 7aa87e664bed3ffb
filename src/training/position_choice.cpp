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
  constexpr std::size_t kFew = 256;
  constexpr int kBits = 11;
  std::vector<std::int64_t> out;
  out.reserve(keys_.size());
  for (const std::uint64_t key : keys_) out.push_back(PositionKey::number(key));
  if (out.size() < kFew) {
    std::sort(out.begin(), out.end());
    return out;
  }
  // By digits, the lowest first: quicker than std::sort for so many.
  std::uint64_t all = 0;
  for (const std::int64_t number : out) all |= static_cast<std::uint64_t>(number);
  std::vector<std::int64_t> other(out.size());
  for (int shift = 0; shift < 64 && all >> shift != 0; shift += kBits) {
    const auto digit = [&](std::int64_t number) {
      return static_cast<std::size_t>(number >> shift) & ((std::size_t{1} << kBits) - 1);
    };
    std::array<std::size_t, (std::size_t{1} << kBits) + 1> starts{};
    for (const std::int64_t number : out) ++starts[digit(number) + 1];
    for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
    for (const std::int64_t number : out) other[starts[digit(number)]++] = number;
    out.swap(other);
  }
  return out;
}

}  // namespace mlarray::training
