#include "salvage/scan.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/zeros.hpp"
#include "codec/bytes.hpp"
#include "codec/chunk.hpp"
#include "codec/chunk_format.hpp"
#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "mlarray/error.hpp"
#include "store/block_check.hpp"
#include "store/checksums.hpp"

namespace mlarray::salvaging {
namespace {

using Span = std::span<const std::byte>;

constexpr std::size_t kWindow = std::size_t{1} << 20;
constexpr std::size_t kAhead = 64;  // bytes that a look needs, from its place on
constexpr std::size_t kMostLandmarks = std::size_t{1} << 16;
constexpr std::size_t kMostChunks = std::size_t{1} << 24;
constexpr std::uint64_t kDiskPiece = 4096;
constexpr unsigned kNewestVersion = 15;  // of chunks

unsigned at(Span bytes, std::size_t i) { return std::to_integer<unsigned>(bytes[i]); }

// The values of a byte that something may begin with.
using Starts = std::array<bool, 256>;

constexpr Starts chunk_starts() {
  Starts starts{};
  for (unsigned version = codec::kFormatVersion; version <= kNewestVersion; ++version) {
    starts[version] = true;
  }
  return starts;
}
constexpr Starts landmark_starts() {
  Starts starts = chunk_starts();
  for (const unsigned first : {0x94u, 0xc6u, frame::kUint32Marker}) starts[first] = true;
  return starts;
}

// Calls look(bytes, offset) at every offset of the file whose byte is one of `starts`, with
// kAhead bytes, which are zeros past the end of the file. It returns how far to go on.
template <class Look>
void walk(const DamagedFile& file, const Starts& starts, Look look) {
  std::vector<std::byte> window(kWindow + kAhead);
  std::uint64_t next = 0;
  for (std::uint64_t base = 0; base < file.size(); base += kWindow) {
    file.go_on();
    const io::Bytes bytes = file.get(base, kWindow + kAhead);
    if (base::all_zero(bytes.data)) continue;  // a hole: nothing begins with a 0
    std::fill(std::copy(bytes.data.begin(), bytes.data.end(), window.begin()), window.end(),
              std::byte{0});
    const std::uint64_t stop = std::min<std::uint64_t>(base + kWindow, file.size());
    std::uint64_t offset = std::max(base, next);
    while (offset < stop) {
      if (!starts[at(window, static_cast<std::size_t>(offset - base))]) {
        ++offset;
        continue;
      }
      offset +=
          look(Span(window).subspan(static_cast<std::size_t>(offset - base), kAhead), offset);
    }
    next = offset;
  }
}

// Keeps the last kMostLandmarks.
void add(std::vector<Extent>& list, Extent extent) {
  if (list.size() >= 2 * kMostLandmarks) {
    list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(kMostLandmarks));
  }
  list.push_back(extent);
}

// Could a chunk begin here, of so many bytes?
bool may_be_chunk(Span bytes, std::uint64_t room, std::uint64_t* length) {
  const unsigned version = at(bytes, codec::at::kVersion);
  if (version < codec::kFormatVersion || version > kNewestVersion) return false;
  if ((at(bytes, codec::at::kFlags) & codec::kExtendedHeader) != codec::kExtendedHeader) {
    return false;
  }
  const std::int32_t cbytes = codec::load_i32(bytes, codec::at::kCbytes);
  if (cbytes < static_cast<std::int32_t>(codec::kChunkHeaderBytes)) return false;
  *length = static_cast<std::uint64_t>(cbytes);
  return *length <= room;
}

bool begins_trailer(Span bytes) {
  return at(bytes, 0) == 0x94 && at(bytes, 1) == 1 && at(bytes, 2) == 0x93 &&
         at(bytes, 3) == 0xcd && at(bytes, 6) == 0xde;
}

// The length that the end of a trailer claims, 0 if this is none.
std::uint64_t trailer_length(Span end) {
  const bool is_end =
      at(end, 0) == frame::kUint32Marker && at(end, 5) == frame::kFixExt16Marker;
  const std::uint64_t length = is_end ? frame::load_big<std::uint32_t>(end, 1) : 0;
  return length >= frame::kTrailerMinBytes ? length : 0;
}

// Where the trailer that begins here ends by its list of metalayers; empty if it has another
// form.
Extent trailer_from(const DamagedFile& file, std::uint64_t start) {
  constexpr std::uint64_t kOneRead = 2048;  // what a short read costs, in bytes of work
  constexpr std::uint64_t kMostLayers = 1024;
  constexpr std::size_t kMapAt = 9;  // behind the number of names
  constexpr std::uint64_t kMostOfOne = 1 + 31 + 5;
  const io::Bytes begin = file.get(start, kMapAt);
  if (begin.data.size() < kMapAt || !begins_trailer(begin.data)) return {};
  const unsigned count = frame::load_big<std::uint16_t>(begin.data, 7);
  if (count > kMostLayers || !file.work().spend((3 + count) * kOneRead)) return {};
  const io::Bytes head = file.get(start, kMapAt + count * kMostOfOne + 3);
  const Span bytes = head.data;
  std::size_t place = kMapAt;
  std::uint64_t end = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (place >= bytes.size()) return {};
    place += 1 + (at(bytes, place) & 0x1f) + 1;
    if (place + 4 > bytes.size()) return {};
    const std::uint64_t content = start + frame::load_big<std::uint32_t>(bytes, place);
    place += 4;
    const io::Bytes length = file.get(content, 5);
    if (length.data.size() < 5) return {};
    end = std::max(end, content + 5 + frame::load_big<std::uint32_t>(length.data, 1));
  }
  if (count == 0) end = start + place + 3;
  const io::Bytes last = file.get(end, frame::kTrailerEndBytes);
  if (last.data.size() < frame::kTrailerEndBytes) return {};
  const Extent found{start, end + frame::kTrailerEndBytes - start};
  // One of the two may be damaged: the seal tells.
  const bool marked = trailer_length(last.data) == found.length ||
                      at(last.data, 5) == frame::kFixExt16Marker ||
                      at(last.data, 0) == frame::kUint32Marker;
  return marked ? found : Extent{};
}

}  // namespace

bool WorkBudget::spend(std::uint64_t bytes) noexcept {
  if (whole_ != nullptr && !whole_->spend(bytes)) exhausted_ = true;
  std::uint64_t left = left_;
  while (!exhausted_) {
    if (bytes > left) {
      exhausted_ = true;
    } else if (left_.compare_exchange_weak(left, left - bytes)) {
      return true;
    }
  }
  return false;
}

std::uint64_t WorkBudget::left() const noexcept {
  if (exhausted_) return 0;
  return whole_ == nullptr ? left_.load() : std::min(left_.load(), whole_->left());
}

// Several times what a file that is honestly damaged takes: it is searched a few times, and
// each of some commits is looked at twice.
DamagedFile::DamagedFile(std::unique_ptr<io::ByteSource> source, std::function<void()> go_on)
    : source_(std::move(source)),
      size_(source_->size()),
      go_on_(std::move(go_on)),
      work_(128 * size_ + (std::uint64_t{4} << 30)) {}

io::Bytes DamagedFile::get(std::uint64_t offset, std::uint64_t length) const {
  if (offset >= size_) return {};
  length = std::min(length, size_ - offset);
  try {
    return source_->get({offset, length});
  } catch (const Error&) {
    // Below, piece by piece.
  }
  const auto whole = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(length));
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t piece =
        std::min(length - done, kDiskPiece - (offset + done) % kDiskPiece);
    const std::span<std::byte> place = std::span(*whole).subspan(
        static_cast<std::size_t>(done), static_cast<std::size_t>(piece));
    try {
      source_->read({offset + done, piece}, place);
    } catch (const Error&) {
      std::fill(place.begin(), place.end(), std::byte{0});
      unreadable_ = true;
    }
    done += piece;
  }
  return {*whole, whole};
}

std::vector<std::byte> DamagedFile::copy(const Extent& extent) const {
  const io::Bytes bytes = get(extent.offset, extent.length);
  return {bytes.data.begin(), bytes.data.end()};
}

TailLimits::TailLimits(const std::vector<grid::Geometry>& arrays) {
  constexpr std::uint64_t kLists = std::uint64_t{1} << 20;  // of names; other writers' layers
  std::uint64_t sums = 0;
  if (arrays.empty()) index = 16 * std::uint64_t{frame::kMaxSparseChunks};
  for (const grid::Geometry& array : arrays) {
    const auto entries = static_cast<std::uint64_t>(8 * array.chunk_count());
    index = std::max(index, 2 * entries + (std::uint64_t{1} << 16));
    sums = std::max(
        sums, store::ChecksumTable::stored_bytes(array.chunk_count(), array.block_count()));
  }
  layer = std::max(sums, kMostMetadata) + kLists;
  trailer = sums + kMostMetadata + kLists;
}

Landmarks find_landmarks(const DamagedFile& file, const std::vector<grid::Geometry>& arrays) {
  Landmarks found;
  std::vector<Extent> begun;
  std::vector<Extent> ended;
  std::vector<std::int64_t> index_bytes;
  for (const grid::Geometry& geometry : arrays)
    index_bytes.push_back(8 * geometry.chunk_count());
  const TailLimits limits(arrays);
  walk(file, landmark_starts(), [&](Span bytes, std::uint64_t offset) -> std::uint64_t {
    const std::uint64_t room = file.size() - offset;
    const unsigned first = at(bytes, 0);
    std::uint64_t length = 0;
    if (first == 0x94) {
      if (begins_trailer(bytes)) add(begun, {offset, 0});
    } else if (first == frame::kUint32Marker) {
      const std::uint64_t end = offset + frame::kTrailerEndBytes;
      length = trailer_length(bytes);
      if (length > 0 && length <= end && length <= limits.trailer && end <= file.size() &&
          at(bytes, 6) <= frame::kSealType) {
        add(ended, {end - length, length});
      }
    } else if (first == 0xc6) {
      constexpr std::size_t kAt = 5;  // of the chunk in its msgpack bin
      if (room > kAt && may_be_chunk(bytes.subspan(kAt), room - kAt, &length) &&
          at(bytes, kAt + codec::at::kTypesize) == 1 &&
          frame::load_big<std::uint32_t>(bytes, 1) == length && length <= limits.layer) {
        add(found.layers, {offset + kAt, length});
      }
    } else if (may_be_chunk(bytes, room, &length) && at(bytes, codec::at::kTypesize) == 8) {
      const std::int32_t nbytes = codec::load_i32(bytes, codec::at::kNbytes);
      if (length <= limits.index &&
          std::find(index_bytes.begin(), index_bytes.end(), nbytes) != index_bytes.end()) {
        add(found.indexes, {offset, length});
      }
    }
    return 1;
  });
  for (const Extent& start : begun) {
    const Extent trailer = trailer_from(file, start.offset);
    if (!trailer.empty() && trailer.length <= limits.trailer) {
      found.trailers.push_back(trailer);
    }
  }
  // Of a trailer whose beginning is damaged, the index in front of it says where that was.
  std::vector<std::uint64_t> index_ends;
  index_ends.reserve(found.indexes.size());
  for (const Extent& index : found.indexes) index_ends.push_back(index.end());
  std::sort(index_ends.begin(), index_ends.end());
  for (const Extent& trailer : ended) {
    const io::Bytes start = file.get(trailer.offset, kAhead);
    const bool begins = start.data.size() == kAhead && begins_trailer(start.data);
    if (begins || std::binary_search(index_ends.begin(), index_ends.end(), trailer.offset)) {
      found.trailers.push_back(trailer);
    }
  }
  const auto by_place = [](const Extent& a, const Extent& b) {
    return std::pair(a.offset, a.length) < std::pair(b.offset, b.length);
  };
  std::sort(found.trailers.begin(), found.trailers.end(), by_place);
  found.trailers.erase(std::unique(found.trailers.begin(), found.trailers.end()),
                       found.trailers.end());
  return found;
}

std::vector<Extent> find_chunks(const DamagedFile& file, const grid::Geometry& geometry,
                                WorkBudget& budget) {
  std::vector<Extent> found;
  const std::uint64_t head_bytes = codec::head_bytes(geometry.block_count());
  const codec::Expected expected{.nbytes = geometry.chunk_bytes(),
                                 .blocksize = geometry.block_bytes(),
                                 .typesize = store::chunk_typesize(geometry.itemsize()),
                                 .what = "chunk"};
  walk(file, chunk_starts(), [&](Span bytes, std::uint64_t offset) -> std::uint64_t {
    std::uint64_t length = 0;
    if (!may_be_chunk(bytes, file.size() - offset, &length)) return 1;
    if (at(bytes, codec::at::kTypesize) != static_cast<unsigned>(expected.typesize) ||
        codec::load_i32(bytes, codec::at::kNbytes) != expected.nbytes ||
        codec::load_i32(bytes, codec::at::kBlocksize) != expected.blocksize) {
      return 1;
    }
    if (found.size() == kMostChunks || !budget.spend(head_bytes)) return 1;
    try {
      const io::Bytes head = file.get(offset, std::min(head_bytes, length));
      codec::parse_chunk(head.data, static_cast<std::size_t>(length), expected);
    } catch (const Error&) {
      return 1;
    }
    found.push_back({offset, length});
    return codec::kChunkHeaderBytes;
  });
  return found;
}

}  // namespace mlarray::salvaging
