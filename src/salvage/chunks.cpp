#include "salvage/chunks.hpp"

#include <algorithm>
#include <array>

#include "codec/bytes.hpp"
#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "codec/chunk_format.hpp"
#include "mlarray/error.hpp"
#include "store/block_check.hpp"

namespace mlarray::salvaging {
namespace {

constexpr Reason kNoPlace = "neither the index nor the checksums say where it is";
constexpr Reason kNotFound = "no chunk with its checksums is in the file";
constexpr Reason kBadEntry = "its entry in the index is damaged";
constexpr Reason kSharedPlace = "another chunk has the same place in the file";
constexpr Reason kNoSums = "it has no checksum, and the index may be of another commit";
constexpr Reason kBadHeader = "its header is damaged, or the file ends before it does";
constexpr Reason kBadSum = "its checksum is wrong";
constexpr Reason kBadStreams = "it cannot be decoded";
constexpr Reason kNothingVerifies = "nothing verifies it";
constexpr Reason kTooMuchWork = "looking at it would be too much work";

}  // namespace

SalvagedChunks::SalvagedChunks(const DamagedFile& file, const HeaderGuess& header,
                               StateContent content, Trust trust, std::uint64_t end,
                               bool only_verified)
    : file_(file),
      geometry_(header.geometry),
      content_(std::move(content)),
      trust_(trust),
      base_(header.bytes.size()),
      end_(end),
      only_verified_(only_verified) {
  const auto count = static_cast<std::size_t>(geometry_.chunk_count());
  placed_.resize(count, !content_.index.empty());
  entries_ = std::move(content_.index);
  entries_.resize(count);
  note_places();
}

std::uint64_t SalvagedChunks::offset_of(std::int64_t number) const {
  return base_ + entries_[static_cast<std::size_t>(number)].offset();
}

store::ChunkSums SalvagedChunks::sums_of(std::int64_t number) const {
  return content_.sums.of_chunk(number);
}

bool SalvagedChunks::has_sums(std::int64_t number) const {
  const std::span<const std::byte> sums = sums_of(number).stored();
  return std::any_of(sums.begin(), sums.end(), [](std::byte b) { return b != std::byte{0}; });
}

bool SalvagedChunks::is_zeros(std::int64_t number) const {
  const auto i = static_cast<std::size_t>(number);
  const auto special = static_cast<codec::Special>(entries_[i].special());
  return placed_[i] && entries_[i].is_special() &&
         (special == codec::Special::zeros || special == codec::Special::uninit);
}

bool SalvagedChunks::same_place(const SalvagedChunks& other, std::int64_t number) const {
  const auto i = static_cast<std::size_t>(number);
  return placed_[i] && other.placed_[i] && entries_[i].raw() == other.entries_[i].raw();
}

std::int64_t SalvagedChunks::voxels_of(std::int64_t number) const {
  return element_count(geometry_.chunk_box(number).shape());
}

std::int64_t SalvagedChunks::voxels_of(std::int64_t number, std::int32_t block) const {
  const Box box = geometry_.block_box(number, block);
  return box.empty() && geometry_.ndim() > 0 ? 0 : element_count(box.shape());
}

bool SalvagedChunks::parse(LoadedChunk& chunk) const {
  try {
    chunk.header = codec::parse_chunk(chunk.bytes(),
                                      {.nbytes = geometry_.chunk_bytes(),
                                       .blocksize = geometry_.block_bytes(),
                                       .typesize = store::chunk_typesize(geometry_.itemsize()),
                                       .what = "chunk"});
    chunk.seed = codec::checksum_seed(chunk.bytes(), chunk.header);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// What c-blosc2 makes at most of a chunk, of data that it cannot compress.
std::uint64_t SalvagedChunks::most_stored() const {
  const auto blocks = static_cast<std::uint64_t>(geometry_.block_count());
  return static_cast<std::uint64_t>(geometry_.chunk_bytes()) + codec::kChunkHeaderBytes +
         4 * blocks * (codec::kMaxStreams + 2) + 2 * codec::kMaxDictionaryBytes;
}

bool SalvagedChunks::load(std::uint64_t offset, LoadedChunk& chunk) const {
  chunk.offset = offset;
  const io::Bytes head = file_.get(offset, codec::kChunkHeaderBytes);
  if (head.data.size() < codec::kChunkHeaderBytes) return false;
  const std::int32_t length = codec::load_i32(head.data, codec::at::kCbytes);
  if (length < static_cast<std::int32_t>(codec::kChunkHeaderBytes)) return false;
  chunk.length = static_cast<std::size_t>(length);
  if (chunk.length > file_.size() - offset || chunk.length > most_stored()) return false;
  if (!chunk.spend(chunk.length)) return false;
  chunk.held = file_.get(offset, chunk.length);
  return parse(chunk);
}

// Where a chunk begins and where the next one does is known, and what its sums must be: that is
// enough to find one flipped bit of its header, and to do without block starts that lead
// nowhere.
std::optional<int> SalvagedChunks::mend(std::int64_t number, LoadedChunk& chunk,
                                        std::optional<int> known) const {
  // Of several chunks in one place, this one may be none.
  if (chunk.offset >= file_.size() || doubtful_[static_cast<std::size_t>(number)]) {
    return std::nullopt;
  }
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), chunk.offset);
  std::uint64_t stop = next == starts_.end() ? end_ : *next;
  if (stop <= chunk.offset) stop = file_.size();
  const auto blocks = static_cast<std::size_t>(geometry_.block_count());
  const std::size_t first = codec::kChunkHeaderBytes + 4 * blocks;
  const std::uint64_t length_of_all = std::min(stop - chunk.offset, most_stored());
  if (!chunk.spend(length_of_all)) return std::nullopt;
  const io::Bytes all = file_.get(chunk.offset, length_of_all);
  if (all.data.size() < first) return std::nullopt;
  const std::vector<std::byte> head(all.data.begin(),
                                    all.data.begin() + static_cast<std::ptrdiff_t>(first));
  const std::array<std::int32_t, 2> tests = {0, static_cast<std::int32_t>(blocks / 2)};
  chunk.held = all;
  constexpr int kHeaderBits = 8 * static_cast<int>(codec::kChunkHeaderBytes);
  const int last = known ? *known : kHeaderBits - 1;
  for (int bit = known.value_or(-1); bit <= last; ++bit) {
    if (!chunk.spend(2 * first)) return std::nullopt;
    chunk.length = all.data.size();
    const std::span<std::byte> bytes = chunk.changeable();
    codec::copy_bytes(head, bytes.data());
    if (bit >= 0) {
      bytes[static_cast<std::size_t>(bit / 8)] ^= static_cast<std::byte>(1u << (bit % 8));
    }
    const std::int32_t length = codec::load_i32(bytes, codec::at::kCbytes);
    if (length < static_cast<std::int32_t>(first) ||
        static_cast<std::size_t>(length) > bytes.size()) {
      continue;
    }
    chunk.length = static_cast<std::size_t>(length);
    if (!parse(chunk)) {
      for (std::size_t i = 0; i < blocks; ++i) {
        const std::size_t at = codec::kChunkHeaderBytes + 4 * i;
        const std::int32_t start = codec::load_i32(bytes, at);
        if (start < static_cast<std::int32_t>(first) || start > length - 4) {
          codec::store_i32(bytes, at, length - 4);
        }
      }
      if (!parse(chunk)) continue;
    }
    for (const std::int32_t block : tests) {
      if (sum_is_right(number, chunk, block)) return bit;
    }
  }
  return std::nullopt;
}

// Tries the end of the block before it where the block's own start leads elsewhere.
bool SalvagedChunks::sum_is_right(std::int64_t number, LoadedChunk& chunk,
                                  std::int32_t block) const {
  const std::uint32_t expected = sums_of(number).of_block(block);
  if (expected == codec::kNoChecksum) return false;
  const auto matches = [&] {
    try {
      // A special chunk is its one block.
      const std::span<const std::byte> bytes =
          chunk.header.special != codec::Special::none
              ? chunk.bytes().subspan(codec::kChunkHeaderBytes)
              : codec::block_bytes(chunk.bytes(), chunk.header, block);
      if (!chunk.spend(bytes.size() + 64)) return false;
      return codec::stored_checksum(bytes, chunk.seed, number, block) == expected;
    } catch (const Error&) {
      return false;  // it leaves the chunk
    }
  };
  if (matches()) return true;
  const codec::ChunkHeader& header = chunk.header;
  if (header.special != codec::Special::none || header.memcpyed) return false;
  std::size_t start = codec::kChunkHeaderBytes +
                      4 * static_cast<std::size_t>(header.block_count()) +
                      codec::dictionary_section(chunk.bytes(), header).size();
  if (block > 0) {
    try {
      const auto before = codec::block_bytes(chunk.bytes(), header, block - 1);
      start = static_cast<std::size_t>(before.data() - chunk.bytes().data()) + before.size();
    } catch (const Error&) {
      return false;
    }
  }
  const std::size_t at = codec::kChunkHeaderBytes + 4 * static_cast<std::size_t>(block);
  const std::int32_t stored = codec::load_i32(chunk.bytes(), at);
  if (static_cast<std::size_t>(stored) == start || start + 4 > chunk.length) return false;
  codec::store_i32(chunk.changeable(), at, static_cast<std::int32_t>(start));
  if (matches()) return true;
  codec::store_i32(chunk.changeable(), at, stored);
  return false;
}

bool SalvagedChunks::any_sum_is_right(std::int64_t number, LoadedChunk& chunk) const {
  for (std::int32_t block = 0; block < chunk.header.block_count(); ++block) {
    if (sum_is_right(number, chunk, block)) return true;
    if (chunk.too_much) return false;
  }
  return false;
}

ChunkOutcome SalvagedChunks::all_lost(std::int64_t number, Reason reason) const {
  ChunkOutcome outcome;
  outcome.lost_voxels = voxels_of(number);
  outcome.chunk_is_lost = reason;
  return outcome;
}

ChunkOutcome SalvagedChunks::filled(std::int64_t number, codec::Special special,
                                    std::span<const std::byte> item, bool verified,
                                    std::span<std::byte> out) const {
  if (!verified && only_verified_) return all_lost(number, kNothingVerifies);
  try {
    const auto itemsize = static_cast<std::size_t>(geometry_.itemsize());
    if (special == codec::Special::value && item.size() < itemsize) {
      return all_lost(number, kBadStreams);
    }
    item = item.first(std::min(item.size(), itemsize));
    std::vector<std::byte> one(itemsize);
    codec::fill_special(special, item, geometry_.itemsize(), one);
    codec::fill_special(special, item, geometry_.itemsize(), out);
  } catch (const Error&) {
    return all_lost(number, kBadStreams);
  }
  ChunkOutcome outcome;
  (verified ? outcome.verified_voxels : outcome.unverified_voxels) = voxels_of(number);
  return outcome;
}

ChunkOutcome SalvagedChunks::read(std::int64_t number, std::span<std::byte> out,
                                  ChunkScratch& scratch) const {
  const auto i = static_cast<std::size_t>(number);
  if (!placed_[i]) return all_lost(number, has_sums(number) ? kNotFound : kNoPlace);
  const frame::IndexEntry entry = entries_[i];
  if (!entry.is_special()) return read_stored(number, out, scratch);
  const auto special = static_cast<codec::Special>(entry.special());
  const bool known = special == codec::Special::zeros || special == codec::Special::nan ||
                     special == codec::Special::uninit;
  // What has sums has bytes.
  const bool contradicted = trust_ == Trust::damaged && has_sums(number);
  if (!known || contradicted) return all_lost(number, kBadEntry);
  const bool sure =
      trust_ != Trust::damaged || content_.sums.empty() || content_.index_and_sums_are_of_one;
  if (!sure) return all_lost(number, kNoSums);
  return filled(number, special, {}, trust_ == Trust::sealed, out);
}

ChunkOutcome SalvagedChunks::read_stored(std::int64_t number, std::span<std::byte> out,
                                         ChunkScratch& scratch) const {
  const bool has_sums = this->has_sums(number);
  if (!has_sums) {
    if (doubtful_[static_cast<std::size_t>(number)]) return all_lost(number, kSharedPlace);
    const bool sure =
        trust_ != Trust::damaged || content_.sums.empty() || content_.index_and_sums_are_of_one;
    if (!sure) return all_lost(number, kNoSums);
  }
  if (!has_sums && only_verified_) return all_lost(number, kNothingVerifies);
  std::int16_t& found = found_[static_cast<std::size_t>(number)];
  if (found == kTooMuch) return all_lost(number, kTooMuchWork);
  const bool first = found == kUntried;
  LoadedChunk chunk;
  chunk.work = first ? &file_.work() : nullptr;
  bool loaded = load(offset_of(number), chunk);
  if (first) {
    found = kAsItIs;
    const bool doubtful =
        has_sums && trust_ != Trust::foreign && !(loaded && any_sum_is_right(number, chunk));
    if (doubtful && !chunk.too_much) {
      LoadedChunk mended;
      mended.work = chunk.work;
      mended.offset = chunk.offset;
      if (const auto bit = mend(number, mended, std::nullopt)) {
        found = static_cast<std::int16_t>(*bit);
        chunk = std::move(mended);
        loaded = true;
      }
      chunk.too_much = chunk.too_much || mended.too_much;
    }
  } else if (found != kAsItIs) {
    loaded = mend(number, chunk, int{found}).has_value();
  }
  ChunkOutcome outcome =
      loaded ? read_loaded(number, chunk, out, scratch) : all_lost(number, kBadHeader);
  if (!chunk.too_much) return outcome;
  found = kTooMuch;
  std::fill(out.begin(), out.end(), std::byte{0});
  return all_lost(number, kTooMuchWork);
}

ChunkOutcome SalvagedChunks::read_loaded(std::int64_t number, LoadedChunk& chunk,
                                         std::span<std::byte> out,
                                         ChunkScratch& scratch) const {
  const bool has_sums = this->has_sums(number);
  const codec::ChunkHeader& header = chunk.header;
  if (header.special != codec::Special::none) {
    const bool right = has_sums && sum_is_right(number, chunk, 0);
    if (has_sums && !right && trust_ != Trust::foreign) return all_lost(number, kBadSum);
    ChunkOutcome outcome = filled(number, header.special,
                                  chunk.bytes().subspan(codec::kChunkHeaderBytes), right, out);
    outcome.verified_blocks = right ? 1 : 0;
    return outcome;
  }
  if (header.whole_only()) return read_whole(number, chunk, out, scratch);
  return read_blocks(number, chunk, out, scratch);
}

ChunkOutcome SalvagedChunks::read_whole(std::int64_t number, LoadedChunk& chunk,
                                        std::span<std::byte> out, ChunkScratch& scratch) const {
  bool right = has_sums(number);
  for (std::int32_t block = 0; right && block < chunk.header.block_count(); ++block) {
    right = sum_is_right(number, chunk, block);
  }
  if (has_sums(number) && !right && trust_ != Trust::foreign) return all_lost(number, kBadSum);
  if (!right && only_verified_) return all_lost(number, kNothingVerifies);
  const auto size = static_cast<std::size_t>(geometry_.chunk_bytes());
  try {
    if (out.empty() && scratch.bytes.size() < size) scratch.bytes.resize(size);
    scratch.decoder.decode_chunk(chunk.bytes(), chunk.header,
                                 out.empty() ? std::span(scratch.bytes).first(size) : out,
                                 "chunk");
  } catch (const Error&) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return all_lost(number, kBadStreams);
  }
  ChunkOutcome outcome;
  (right ? outcome.verified_voxels : outcome.unverified_voxels) = voxels_of(number);
  outcome.verified_blocks = right ? chunk.header.block_count() : 0;
  return outcome;
}

ChunkOutcome SalvagedChunks::read_blocks(std::int64_t number, LoadedChunk& chunk,
                                         std::span<std::byte> out,
                                         ChunkScratch& scratch) const {
  const bool has_sums = this->has_sums(number);
  const auto size = static_cast<std::size_t>(geometry_.block_bytes());
  if (out.empty() && scratch.bytes.size() < size) scratch.bytes.resize(size);
  ChunkOutcome outcome;
  for (std::int32_t block = 0; block < chunk.header.block_count(); ++block) {
    const bool right = has_sums && sum_is_right(number, chunk, block);
    if (chunk.too_much) break;
    outcome.verified_blocks += right ? 1 : 0;
    const std::int64_t voxels = voxels_of(number, block);
    if (voxels == 0) continue;  // all padding
    Reason wrong = has_sums && !right && trust_ != Trust::foreign ? kBadSum : nullptr;
    if (wrong == nullptr && !right && only_verified_) wrong = kNothingVerifies;
    if (wrong == nullptr) {
      const std::span<std::byte> place =
          out.empty() ? std::span(scratch.bytes).first(size)
                      : out.subspan(static_cast<std::size_t>(block) * size, size);
      try {
        scratch.decoder.decode_block(chunk.bytes(), chunk.header, block, place, "chunk");
      } catch (const Error&) {
        std::fill(place.begin(), place.end(), std::byte{0});
        wrong = kBadStreams;
      }
    }
    if (wrong != nullptr) {
      outcome.lost_blocks.emplace_back(block, wrong);
      outcome.lost_voxels += voxels;
    } else {
      (right ? outcome.verified_voxels : outcome.unverified_voxels) += voxels;
      if (!right) outcome.unverified_blocks.push_back(block);
    }
  }
  if (outcome.verified_voxels + outcome.lost_voxels == 0) outcome.unverified_blocks.clear();
  if (outcome.verified_voxels + outcome.unverified_voxels == 0) {
    outcome.chunk_is_lost =
        outcome.lost_blocks.empty() ? kBadStreams : outcome.lost_blocks.front().second;
    outcome.lost_blocks.clear();
  }
  return outcome;
}

}  // namespace mlarray::salvaging
