#include "store/checksums.hpp"

#include <algorithm>

#include "base/mutants.hpp"
#include "codec/bytes.hpp"
#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "mlarray/error.hpp"

namespace mlarray::store {
namespace {

// A msgpack bin32 (c6, big-endian length), so that generic Blosc2 readers can list the layer.
// In it, little endian: version (1 byte), 3 zero bytes, blocks per chunk (uint32), then the
// sums (uint32 each). On disk: do not change.
constexpr std::byte kBin32{0xc6};
constexpr std::int32_t kVersion = 1;
constexpr std::int32_t kPagedVersion = 2;  // then the list of the pages
constexpr std::size_t kVersionAt = 5;
constexpr std::size_t kBlocksAt = 9;
constexpr std::size_t kHeadBytes = 13;
constexpr std::size_t kSumBytes = 4;
constexpr std::int64_t kMaxTable = std::int64_t{1} << 28;
// 16 bytes for each page of at least 8 KiB.
constexpr std::int64_t kMostListBytes = std::int64_t{1} << 20;
// A table of version 1 is written whole by every commit, and hashed by every opening.
std::size_t most_in_layer() { return base::limit("sums_in_layer", std::size_t{48} << 10); }

// Bytes of all sums, or 0 if there are none or they are too many to be kept.
std::size_t table_bytes(std::int64_t chunk_count, std::int64_t block_count) {
  constexpr std::int64_t kMaxSums = kMaxTable / static_cast<std::int64_t>(kSumBytes);
  if (block_count > 0 && chunk_count > kMaxSums / block_count) return 0;
  return static_cast<std::size_t>(chunk_count * block_count) * kSumBytes;
}

}  // namespace

std::span<const std::byte> ChunkSums::stored() const {
  if (pages_ == nullptr) return bytes_;
  if (!lenient_) {
    const auto page = pages_->get(page_);
    return page.empty() ? page : page.subspan(at_, length_);
  }
  const auto page = pages_->find(page_);
  return !page || page->empty() ? std::span<const std::byte>() : page->subspan(at_, length_);
}

std::uint32_t ChunkSums::of_block(std::int32_t block) const {
  const std::span<const std::byte> bytes = stored();
  if (bytes.empty()) return codec::kNoChecksum;
  return static_cast<std::uint32_t>(
      codec::load_i32(bytes, static_cast<std::size_t>(block) * kSumBytes));
}

bool ChecksumTable::is_large(std::int64_t chunk_count, std::int64_t block_count) {
  return table_bytes(chunk_count, block_count) > most_in_layer();
}

PageList checksum_pages(std::int64_t chunk_count, std::int64_t block_count) {
  if (!ChecksumTable::is_large(chunk_count, block_count)) return {};
  return PageList::of_items(chunk_count, static_cast<std::size_t>(block_count) * kSumBytes);
}

ChecksumTable ChecksumTable::parse(io::Bytes chunk, std::shared_ptr<io::ByteSource> source,
                                   std::int64_t chunk_count, std::int64_t block_count,
                                   Damaged damaged) {
  ChecksumTable out;
  const std::size_t sums = table_bytes(chunk_count, block_count);
  const std::size_t size = kHeadBytes + sums;
  if (sums == 0) return out;
  const auto is_small = [&] {
    if (chunk.data.size() != codec::kChunkHeaderBytes + size) return false;
    const codec::ChunkHeader header = codec::parse_chunk(chunk.data, {.what = kChecksumLayer});
    const auto value = chunk.data.subspan(codec::kChunkHeaderBytes);
    return header.memcpyed && header.nbytes == static_cast<std::int64_t>(size) &&
           value[0] == kBin32 && codec::load_i32(value, kVersionAt) == kVersion &&
           codec::load_i32(value, kBlocksAt) == block_count;
  };
  try {
    if (!is_small()) {
      out = parse_large(chunk, std::move(source), chunk_count, block_count);
      out.lenient_ = damaged == Damaged::has_no_sums;
      return out;
    }
  } catch (const Error&) {
    return out;  // written by somebody else for something else
  }
  const auto value = chunk.data.subspan(codec::kChunkHeaderBytes);
  out.layer_ = {value.subspan(kHeadBytes), std::move(chunk.owner)};
  out.chunk_bytes_ = static_cast<std::size_t>(block_count) * kSumBytes;
  out.whole_ = std::make_shared<FoundWhole>(sums / kSumBytes);
  return out;
}

ChecksumTable ChecksumTable::parse_large(const io::Bytes& chunk,
                                         std::shared_ptr<io::ByteSource> source,
                                         std::int64_t chunk_count, std::int64_t block_count) {
  const std::size_t item = static_cast<std::size_t>(block_count) * kSumBytes;
  const PageList form = PageList::of_items(chunk_count, item);
  const std::vector<std::byte> value =
      codec::decompress_bytes(chunk.data, kMostListBytes, {.what = kChecksumLayer});
  std::size_t at = kHeadBytes;
  if (value.size() < at || value[0] != kBin32 ||
      codec::load_i32(value, kVersionAt) != kPagedVersion ||
      codec::load_i32(value, kBlocksAt) != block_count) {
    return {};
  }
  auto list = PageList::parse(value, at);
  if (!list || !list->same_form(form)) return {};
  ChecksumTable out;
  out.chunk_bytes_ = item;
  out.per_page_ = list->page_bytes / item;
  out.pages_ =
      std::make_shared<const Pages>(std::move(*list), std::move(source), "the checksums");
  out.whole_ =
      std::make_shared<FoundWhole>(static_cast<std::size_t>(chunk_count * block_count));
  return out;
}

std::uint64_t ChecksumTable::stored_bytes(std::int64_t chunk_count, std::int64_t block_count) {
  const std::size_t sums = table_bytes(chunk_count, block_count);
  return sums == 0 ? 0 : codec::kChunkHeaderBytes + kHeadBytes + sums;
}

ChunkSums ChecksumTable::of_chunk(std::int64_t chunk) const {
  if (empty()) return {};
  ChunkSums out;
  const std::size_t at = static_cast<std::size_t>(chunk) * chunk_bytes_;
  out.whole = whole_.get();
  out.first_block = at / kSumBytes;
  if (!pages_) {
    out.bytes_ = layer_.data.subspan(at, chunk_bytes_);
    return out;
  }
  out.pages_ = pages_.get();
  out.page_ = static_cast<std::size_t>(chunk) / per_page_;
  out.at_ = static_cast<std::size_t>(chunk) % per_page_ * chunk_bytes_;
  out.length_ = chunk_bytes_;
  out.lenient_ = lenient_;
  return out;
}

std::vector<io::Range> ChecksumTable::pages_to_read(
    std::span<const std::int64_t> chunks) const {
  std::vector<io::Range> out;
  if (!pages_) return out;
  std::vector<std::size_t> pages;
  for (const std::int64_t chunk : chunks) {
    pages.push_back(static_cast<std::size_t>(chunk) / per_page_);
  }
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  for (const std::size_t page : pages) {
    if (const auto range = pages_->missing(page)) out.push_back(*range);
  }
  return out;
}

void ChecksumTable::take(std::uint64_t offset, const io::Bytes& bytes) const {
  if (pages_) pages_->take(offset, bytes);
}

ChecksumBuilder::ChecksumBuilder(std::int64_t chunk_count, std::int64_t block_count)
    : chunk_bytes_(static_cast<std::size_t>(block_count) * kSumBytes),
      block_count_(static_cast<std::int32_t>(block_count)),
      pages_(checksum_pages(chunk_count, block_count), chunk_bytes_) {
  const std::size_t sums = table_bytes(chunk_count, block_count);
  if (sums == 0 || !pages_.empty()) return;
  raw_.resize(kHeadBytes + sums);
  raw_[0] = kBin32;
  frame::store_big(std::span(raw_), 1, static_cast<std::uint32_t>(raw_.size() - kVersionAt));
  codec::store_i32(raw_, kVersionAt, kVersion);
  codec::store_i32(raw_, kBlocksAt, block_count_);
}

void ChecksumBuilder::set(std::int64_t chunk, std::span<const std::byte> sums) {
  if (raw_.empty()) return pages_.set(chunk, sums);
  const auto place = std::span(raw_).subspan(
      kHeadBytes + static_cast<std::size_t>(chunk) * chunk_bytes_, chunk_bytes_);
  codec::fill_bytes(place, 0);
  codec::copy_bytes(sums, place.data());
}

std::vector<std::byte> ChecksumBuilder::build(std::vector<std::byte>& out,
                                              std::uint64_t position, PageList& list) {
  if (!raw_.empty()) {
    return codec::store_chunk(raw_, 1, static_cast<std::int32_t>(raw_.size()));
  }
  if (pages_.empty()) return {};
  pages_.append_to(out, position, list);
  std::vector<std::byte> value(kHeadBytes);
  value[0] = kBin32;
  codec::store_i32(value, kVersionAt, kPagedVersion);
  codec::store_i32(value, kBlocksAt, block_count_);
  list.append_to(value);
  frame::store_big(std::span(value), 1, static_cast<std::uint32_t>(value.size() - kVersionAt));
  return pack_value(value);
}

std::vector<std::byte> stored_sums(std::span<const std::uint32_t> sums) {
  std::vector<std::byte> out(sums.size() * kSumBytes);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    codec::store_i32(out, i * kSumBytes, static_cast<std::int32_t>(sums[i]));
  }
  return out;
}

}  // namespace mlarray::store
