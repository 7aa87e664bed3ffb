#include "io/coalesce.hpp"

#include <algorithm>

namespace mlarray::io {
namespace {

// Ranges in the order of their offsets.
std::vector<std::size_t> sorted(std::span<const Range> ranges) {
  std::vector<std::size_t> order;
  order.reserve(ranges.size());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].length > 0) order.push_back(i);
  }
  const auto before = [&](std::size_t a, std::size_t b) {
    return ranges[a].offset < ranges[b].offset;
  };
  if (!std::is_sorted(order.begin(), order.end(), before)) {
    std::sort(order.begin(), order.end(), before);
  }
  return order;
}

// Gaps of up to so many bytes are read: the smallest first, until a tenth is spent on them.
std::uint64_t filled_gap(std::span<const Range> ranges, std::span<const std::size_t> order) {
  constexpr std::uint64_t kPart = 10;
  constexpr std::uint64_t kMost = std::uint64_t{64} << 10;
  std::vector<std::uint64_t> gaps;
  std::uint64_t wanted = 0;
  std::uint64_t end = 0;
  for (const std::size_t i : order) {
    const Range& range = ranges[i];
    if (end > 0 && range.offset > end && range.offset - end <= kMost) {
      gaps.push_back(range.offset - end);
    }
    const std::uint64_t stop = range.offset + range.length;
    if (stop > end) wanted += stop - std::max(range.offset, end);
    end = std::max(end, stop);
  }
  std::sort(gaps.begin(), gaps.end());
  std::uint64_t spent = 0;
  std::uint64_t widest = 0;
  for (std::size_t i = 0; i < gaps.size();) {
    // All of one width or none, for the width alone says which.
    std::size_t next = i;
    while (next < gaps.size() && gaps[next] == gaps[i]) spent += gaps[next++];
    if (spent > wanted / kPart) break;
    widest = gaps[i];
    i = next;
  }
  return widest;
}

}  // namespace

namespace {

Gathered read_each(const ByteSource& source, std::span<const Range> ranges,
                   std::uint64_t total) {
  const auto buffer = allocate(static_cast<std::size_t>(total));
  Gathered out;
  out.parts.reserve(ranges.size());
  out.owner = buffer;
  std::vector<Read> reads;
  reads.reserve(ranges.size());
  std::span<std::byte> rest(buffer.get(), static_cast<std::size_t>(total));
  for (const Range& range : ranges) {
    const auto to = rest.first(static_cast<std::size_t>(range.length));
    out.parts.push_back(to);
    if (!to.empty()) reads.push_back({range.offset, to});
    rest = rest.subspan(to.size());
  }
  source.read_many(reads);
  return out;
}

}  // namespace

Gathered read_together(const ByteSource& source, std::span<const Range> ranges) {
  constexpr std::uint64_t kMuch = std::uint64_t{64} << 20;  // a damaged file may repeat ranges
  std::uint64_t total = 0;
  for (const Range& range : ranges) {
    source.check_inside(range);
    total += range.length;
  }
  if (!source.is_remote() && total <= kMuch) return read_each(source, ranges, total);
  const std::vector<std::size_t> order = sorted(ranges);
  const std::uint64_t gap = filled_gap(ranges, order);
  std::vector<Range> merged;
  std::vector<std::size_t> read_of(ranges.size());
  total = 0;
  for (const std::size_t i : order) {
    const Range& range = ranges[i];
    const std::uint64_t stop = range.offset + range.length;
    const std::uint64_t end = merged.empty() ? 0 : merged.back().offset + merged.back().length;
    if (merged.empty() || range.offset > end + gap) {
      merged.push_back(range);
      total += range.length;
    } else if (stop > end) {
      merged.back().length += stop - end;
      total += stop - end;
    }
    read_of[i] = merged.size() - 1;
  }
  const auto buffer = allocate(static_cast<std::size_t>(total));
  std::vector<Read> reads;
  reads.reserve(merged.size());
  std::span<std::byte> rest(buffer.get(), static_cast<std::size_t>(total));
  for (const Range& range : merged) {
    const auto length = static_cast<std::size_t>(range.length);
    reads.push_back({range.offset, rest.first(length)});
    rest = rest.subspan(length);
  }
  if (!reads.empty()) source.read_many(reads);
  Gathered out{std::vector<std::span<const std::byte>>(ranges.size()), buffer};
  for (const std::size_t i : order) {
    const Read& read = reads[read_of[i]];
    out.parts[i] = read.to.subspan(static_cast<std::size_t>(ranges[i].offset - read.offset),
                                   static_cast<std::size_t>(ranges[i].length));
  }
  return out;
}

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
