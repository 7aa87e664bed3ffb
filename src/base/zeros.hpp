// Whether bytes are all 0, at the speed of memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

namespace mlarray::base {

inline bool all_zero(std::span<const std::byte> data) {
  return data.empty() || (data[0] == std::byte{0} &&
                          std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

}  // namespace mlarray::base
