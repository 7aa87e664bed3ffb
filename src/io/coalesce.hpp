// Turns the ranges that a reader will ask for into few requests to the system.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "io/byte_source.hpp"

namespace mlarray::io {

// The pages that hold `ranges`, ascending and disjoint, in pieces of at most `piece` bytes.
// Parts past `size` are dropped, gaps of at most `gap` bytes are filled. `page` is a power of
// two and divides `piece`. Offsets in the result are multiples of `page`; a piece may end in
// the middle of the last page.
std::vector<Range> coalesce(std::span<const Range> ranges, std::uint64_t size,
                            std::uint64_t page, std::uint64_t gap, std::uint64_t piece);

}  // namespace mlarray::io
