// Counts the classes of a label map, block by block, and chooses what is kept of their voxels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grid/strided.hpp"
#include "mlarray/error.hpp"
#include "mlarray/types.hpp"
#include "training/position_choice.hpp"

namespace mlarray::training {

inline constexpr std::size_t kMostClasses = 65'536;
// Positions of all classes: 16 MiB of an index. So 419 classes may have 10,000 each.
inline constexpr std::size_t kMostPositions = std::size_t{1} << 22;

// How many positions of each class are kept, with so many classes.
inline std::size_t positions_of_each(std::int64_t asked, std::size_t classes) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(
      static_cast<std::uint64_t>(asked), kMostPositions / std::max<std::size_t>(classes, 1)));
}

struct CountedClass {
  std::int64_t label = 0;
  std::int64_t count = 0;
  bool keeps = true;  // positions; not those of the background
  PositionChoice positions;
};

// What one thread counts; its labels are Ts. Not synchronised.
template <class T>
class LabelCounter {
 public:
  // `joined`: how many classes there will be besides.
  LabelCounter(const Shape& shape, std::int64_t positions,
               std::optional<std::int64_t> without_positions, std::size_t joined)
      : shape_(shape),
        asked_(positions),
        without_(without_positions),
        others_(joined),
        most_(positions_of_each(asked_, others_)) {
    if constexpr (sizeof(T) <= 2) table_.resize(std::size_t{1} << (8 * sizeof(T)), kNone);
  }

  // The voxels of a box, in C order; or one that all of them equal.
  void add(const Box& box, std::span<const std::byte> bytes) {
    const Shape extent = box.shape();
    const auto count = static_cast<std::size_t>(element_count(extent));
    if (count == 0) return;
    const bool repeated = bytes.size() / sizeof(T) < count || run(bytes.data(), count) == count;
    if (repeated) {
      const std::size_t slot = slot_of(load(bytes.data()));
      counted_[slot].count += static_cast<std::int64_t>(count);
      if (!counted_[slot].keeps) return;
      for_rows(box, extent, [&](std::uint64_t first, std::size_t, std::size_t length) {
        counted_[slot].positions.offer(first, length, most_);
      });
      return;
    }
    for_rows(box, extent, [&](std::uint64_t first, std::size_t at, std::size_t length) {
      const std::byte* row = bytes.data() + at * sizeof(T);
      for (std::size_t i = 0; i < length;) {
        const std::size_t equal = run(row + i * sizeof(T), length - i);
        const std::size_t slot = slot_of(load(row + i * sizeof(T)));
        counted_[slot].count += static_cast<std::int64_t>(equal);
        if (counted_[slot].keeps) counted_[slot].positions.offer(first + i, equal, most_);
        i += equal;
      }
    });
  }

  std::vector<CountedClass>& counted() { return counted_; }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  static T load(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }

  // How many of the elements equal the first, 1 at least.
  static std::size_t run(const std::byte* from, std::size_t count) {
    constexpr std::size_t kTogether = 32 / sizeof(T);
    const T value = load(from);
    std::size_t i = 1;
    for (; i + kTogether <= count; i += kTogether) {
      T different = 0;
      for (std::size_t k = 0; k < kTogether; ++k) {
        different |= static_cast<T>(load(from + (i + k) * sizeof(T)) ^ value);
      }
      if (different != 0) break;
    }
    while (i < count && load(from + i * sizeof(T)) == value) ++i;
    return i;
  }

  // Calls body(number of the first voxel in the array, its place in the box, voxels) for what
  // lies in one row of both.
  template <class Body>
  void for_rows(const Box& box, const Shape& extent, Body body) const {
    std::size_t axes = shape_.size();
    std::size_t length = 1;
    while (axes > 0) {  // trailing axes that the box has whole are one
      --axes;
      length *= static_cast<std::size_t>(extent[axes]);
      if (extent[axes] != shape_[axes]) break;
    }
    Shape position = box.start;
    for (std::size_t at = 0;; at += length) {
      std::uint64_t first = 0;
      for (std::size_t axis = 0; axis < shape_.size(); ++axis) {
        first = first * static_cast<std::uint64_t>(shape_[axis]) +
                static_cast<std::uint64_t>(position[axis]);
      }
      body(first, at, length);
      std::size_t axis = axes;
      while (axis > 0) {
        --axis;
        if (++position[axis] < box.stop[axis]) break;
        position[axis] = box.start[axis];
        if (axis == 0) return;
      }
      if (axes == 0) return;
    }
  }

  std::size_t slot_of(T value) {
    if (value == last_value_ && last_slot_ != kNone) return last_slot_;
    std::uint32_t slot = kNone;
    if constexpr (sizeof(T) <= 2) {
      slot = table_[static_cast<std::make_unsigned_t<T>>(value)];
    } else {
      const auto found = map_.find(value);
      if (found != map_.end()) slot = found->second;
    }
    if (slot == kNone) slot = add_class(value);
    last_value_ = value;
    return last_slot_ = slot;
  }

  std::uint32_t add_class(T value) {
    if (!std::in_range<std::int64_t>(value)) {
      throw Error(ErrorKind::invalid_value,
                  "the label " + std::to_string(value) +
                      " passes 2^63 - 1, the greatest that an index can have");
    }
    if (counted_.size() == kMostClasses) {
      throw Error(ErrorKind::unsupported,
                  "it has more than 65536 different values, so it is no label map; give the "
                  "labels, not the image");
    }
    const auto slot = static_cast<std::uint32_t>(counted_.size());
    const auto label = static_cast<std::int64_t>(value);
    counted_.push_back({label, 0, asked_ > 0 && label != without_, {}});
    if constexpr (sizeof(T) <= 2) {
      table_[static_cast<std::make_unsigned_t<T>>(value)] = slot;
    } else {
      map_.emplace(value, slot);
    }
    // There is less room for each now. By half at a time, or it would be done at each class.
    const std::size_t room = positions_of_each(asked_, counted_.size() + others_);
    if (room <= most_ / 2) {
      most_ = room;
      for (CountedClass& known : counted_) known.positions.shrink(most_);
    }
    return slot;
  }

  const Shape shape_;
  const std::int64_t asked_;
  const std::optional<std::int64_t> without_;
  const std::size_t others_;
  std::size_t most_;  // at least what will be kept of a class in the end
  std::vector<CountedClass> counted_;
  std::vector<std::uint32_t> table_;          // of labels of up to 2 bytes
  std::unordered_map<T, std::uint32_t> map_;  // of others
  T last_value_ = 0;
  std::uint32_t last_slot_ = kNone;
};

}  // namespace mlarray::training
