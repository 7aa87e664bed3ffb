// Turns the ranges that a reader asks for into few requests.
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

// What many ranges hold, read by one read_many(). Of a remote source, those that touch, overlap
// or lie near one another are one read, of which gaps are at most a tenth.
struct Gathered {
  std::vector<std::span<const std::byte>> parts;  // of each range, in the order they came in
  std::shared_ptr<const void> owner;              // as long as this
};

// Errors: as ByteSource::read_many().
Gathered read_together(const ByteSource& source, std::span<const Range> ranges);

}  // namespace mlarray::io
