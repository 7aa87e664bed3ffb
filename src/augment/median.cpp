#include "augment/median.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mlarray/error.hpp"

namespace mlarray::augment {
namespace {

// Where -2, -1, n, n + 1 are found: at 1, 0, n - 1, n - 2.
std::int64_t mirrored(std::int64_t index, std::int64_t length) {
  const std::int64_t period = 2 * length;
  index %= period;
  if (index < 0) index += period;
  return index < length ? index : period - 1 - index;
}

constexpr std::uint64_t kLowHalf = 0xffffffff;

// Whole numbers below a limit, which come and go, and the k-th of them: bits, a level above of
// one bit for each word that is not 0, and so on.
class Ranks {
 public:
  explicit Ranks(std::int64_t limit) {
    do {
      limit = (limit + 63) / 64;
      levels_.emplace_back(static_cast<std::size_t>(limit), 0);
    } while (limit > 1);
  }

  // `at` is one of them, or nothing is in there; `below()` counts those before it.
  void insert(std::uint32_t rank) {
    std::size_t i = rank;
    for (auto& level : levels_) {
      level[i / 64] |= std::uint64_t{1} << (i % 64);
      i /= 64;
    }
    below_ += rank < at_ ? 1 : 0;
  }
  void erase(std::uint32_t rank) {
    std::size_t i = rank;
    for (auto& level : levels_) {
      level[i / 64] &= ~(std::uint64_t{1} << (i % 64));
      i /= 64;
      if (level[i] != 0) break;
    }
    below_ -= rank < at_ ? 1 : 0;
  }
  void start_at(std::uint32_t rank) {
    at_ = rank;
    below_ = 0;
  }
  // The one with `count` others below it.
  std::uint32_t find(std::int64_t count) {
    while (below_ > count) {
      at_ = before(at_);
      --below_;
    }
    if (!holds(at_)) at_ = after(at_);
    while (below_ < count) {
      at_ = after(at_);
      ++below_;
    }
    return at_;
  }

 private:
  bool holds(std::uint32_t rank) const {
    return ((levels_[0][rank / 64] >> (rank % 64)) & 1) != 0;
  }
  // The next one above; there is one.
  std::uint32_t after(std::uint32_t rank) const {
    std::size_t i = rank;
    std::size_t k = 0;
    for (;; ++k) {
      const std::size_t bit = i % 64;
      const std::uint64_t rest = bit == 63 ? 0 : levels_[k][i / 64] >> (bit + 1) << (bit + 1);
      i /= 64;
      if (rest == 0) continue;
      i = i * 64 + static_cast<std::size_t>(std::countr_zero(rest));
      break;
    }
    while (k-- > 0) {
      i = i * 64 + static_cast<std::size_t>(std::countr_zero(levels_[k][i]));
    }
    return static_cast<std::uint32_t>(i);
  }
  std::uint32_t before(std::uint32_t rank) const {
    std::size_t i = rank;
    std::size_t k = 0;
    for (;; ++k) {
      const std::uint64_t rest = levels_[k][i / 64] & ((std::uint64_t{1} << (i % 64)) - 1);
      i /= 64;
      if (rest == 0) continue;
      i = i * 64 + 63 - static_cast<std::size_t>(std::countl_zero(rest));
      break;
    }
    while (k-- > 0) {
      i = i * 64 + 63 - static_cast<std::size_t>(std::countl_zero(levels_[k][i]));
    }
    return static_cast<std::uint32_t>(i);
  }

  std::vector<std::vector<std::uint64_t>> levels_;
  std::uint32_t at_ = 0;
  std::int64_t below_ = 0;
};

// Places of the numbers in their order, in the low half of each; by what is in the high half.
std::uint64_t* sorted(const float* numbers, std::int64_t count, Workspace::Impl& work) {
  std::uint64_t* from = work.orders.get(2 * count).data();
  std::uint64_t* to = from + count;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(numbers[i]);
    // Ordered as numbers are: negative ones the other way round, and before the others.
    const std::uint32_t key = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
    from[i] = static_cast<std::uint64_t>(key) << 32 | static_cast<std::uint64_t>(i);
  }
  constexpr int kBits = 11;
  constexpr std::uint64_t kDigits = 1 << kBits;
  for (int shift = 32; shift < 64; shift += kBits) {
    std::array<std::int64_t, kDigits> places{};
    for (std::int64_t i = 0; i < count; ++i) ++places[(from[i] >> shift) % kDigits];
    std::int64_t sum = 0;
    for (std::int64_t& place : places) sum += std::exchange(place, sum);
    for (std::int64_t i = 0; i < count; ++i)
      to[places[(from[i] >> shift) % kDigits]++] = from[i];
    std::swap(from, to);
  }
  return from;
}

}  // namespace

// The voxels of the padded image are ranked once. Along a row the window loses one plane and
// gains one, and its median moves by few ranks.
void median_filter(float* voxels, const Size& size, const Size& length,
                   const std::array<bool, 3>& flips, Workspace::Impl& work) {
  Size before;
  Size wide;
  for (std::size_t a = 0; a < 3; ++a) {
    before[a] = flips[a] ? length[a] - 1 - length[a] / 2 : length[a] / 2;
    wide[a] = size[a] + length[a] - 1;
  }
  const std::int64_t count = volume(wide);
  if (count > std::numeric_limits<std::int32_t>::max()) {
    throw Error(ErrorKind::invalid_value,
                "a median filter of " + std::to_string(length[2]) + " voxels works on " +
                    std::to_string(count) + " voxels; the limit is 2^31 - 1: a smaller patch");
  }
  float* padded = work.rows.get(count).data();
  float* to = padded;
  for (std::int64_t z = 0; z < wide[0]; ++z) {
    const std::int64_t from_z = mirrored(z - before[0], size[0]);
    for (std::int64_t y = 0; y < wide[1]; ++y) {
      const std::int64_t from_y = mirrored(y - before[1], size[1]);
      const float* row = voxels + (from_z * size[1] + from_y) * size[2];
      for (std::int64_t x = 0; x < wide[2]; ++x) *to++ = row[mirrored(x - before[2], size[2])];
    }
  }
  std::int32_t* rank = work.tables.get(count).data();
  std::uint64_t* order = sorted(padded, count, work);
  for (std::int64_t i = 0; i < count; ++i) {
    rank[order[i] & kLowHalf] = static_cast<std::int32_t>(i);
  }

  Ranks window(count);
  const std::int64_t middle = volume(length) / 2;
  const auto each_of_plane = [&](std::int64_t z, std::int64_t y, std::int64_t x, auto&& call) {
    for (std::int64_t k = z; k < z + length[0]; ++k) {
      for (std::int64_t j = y; j < y + length[1]; ++j) {
        call(static_cast<std::uint32_t>(rank[(k * wide[1] + j) * wide[2] + x]));
      }
    }
  };
  const auto insert = [&](std::uint32_t one) { window.insert(one); };
  const auto erase = [&](std::uint32_t one) { window.erase(one); };
  for (std::int64_t z = 0; z < size[0]; ++z) {
    for (std::int64_t y = 0; y < size[1]; ++y) {
      window.start_at(0);
      for (std::int64_t x = 0; x + 1 < length[2]; ++x) each_of_plane(z, y, x, insert);
      for (std::int64_t x = 0; x < size[2]; ++x) {
        each_of_plane(z, y, x + length[2] - 1, insert);
        voxels[(z * size[1] + y) * size[2] + x] = padded[order[window.find(middle)] & kLowHalf];
        each_of_plane(z, y, x, erase);
      }
      for (std::int64_t x = size[2]; x < wide[2]; ++x) each_of_plane(z, y, x, erase);
    }
  }
}

}  // namespace mlarray::augment
