#include "io/coalesce.hpp"

#include <algorithm>

namespace mlarray::io {

std::vector<Range> coalesce(std::span<const Range> ranges, std::uint64_t size,
                            std::uint64_t page, std::uint64_t gap, std::uint64_t piece) {
  struct Extent {
    std::uint64_t start;
    std::uint64_t stop;
  };
  std::vector<Extent> extents;
  extents.reserve(ranges.size());
  for (const Range& range : ranges) {
    if (range.length == 0 || range.offset >= size) continue;
    const std::uint64_t stop = range.offset + std::min(range.length, size - range.offset);
    const std::uint64_t last_page = (stop - 1) & ~(page - 1);
    const std::uint64_t page_end = size - last_page > page ? last_page + page : size;
    extents.push_back({range.offset & ~(page - 1), page_end});
  }
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.start < b.start; });

  std::vector<Range> pieces;
  for (std::size_t i = 0; i < extents.size();) {
    Extent merged = extents[i];
    for (++i; i < extents.size(); ++i) {
      if (extents[i].start > merged.stop && extents[i].start - merged.stop > gap) break;
      merged.stop = std::max(merged.stop, extents[i].stop);
    }
    for (std::uint64_t at = merged.start; at < merged.stop;) {
      const std::uint64_t length = std::min(piece, merged.stop - at);
      pieces.push_back({at, length});
      at += length;
    }
  }
  return pieces;
}

}  // namespace mlarray::io
