#include "store/records.hpp"

#include <algorithm>

#include "base/mutants.hpp"
#include "codec/bytes.hpp"
#include "codec/checksum.hpp"
#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "mlarray/error.hpp"
#include "store/checksums.hpp"

namespace mlarray::store {
namespace {

// On disk: do not change (docs/format.md, "Records").
constexpr std::byte kBin32{0xc6};
constexpr std::byte kVersion{1};
constexpr std::size_t kVersionAt = 5;
constexpr std::size_t kIndexHashAt = 9;
constexpr std::size_t kSumsHashAt = 25;
constexpr std::size_t kCountAt = 41;
constexpr std::size_t kHeadBytes = 43;
constexpr std::size_t kMostRecords = 1000;
// A page of 16 KiB of block offsets takes 16 bytes of a list.
constexpr std::int64_t kMostListBytes = std::int64_t{64} << 20;

std::array<std::byte, 16> hash_of(std::span<const std::byte> bytes) {
  const std::array<std::span<const std::byte>, 1> parts = {bytes};
  return codec::fingerprint(parts);
}

std::size_t load_u16(std::span<const std::byte> bytes, std::size_t at) {
  return std::to_integer<std::size_t>(bytes[at]) | std::to_integer<std::size_t>(bytes[at + 1])
                                                       << 8;
}

std::vector<Record> parse(std::span<const std::byte> value, const RecordBinding& binding) {
  if (value.size() < kHeadBytes || value[0] != kBin32 || value[kVersionAt] != kVersion) {
    return {};
  }
  RecordBinding found;
  std::copy_n(value.begin() + kIndexHashAt, 16, found.index.begin());
  std::copy_n(value.begin() + kSumsHashAt, 16, found.sums.begin());
  if (found != binding && !base::mutant("stale_record_believed")) return {};
  std::vector<Record> out;
  std::size_t at = kHeadBytes;
  for (std::size_t left = load_u16(value, kCountAt); left > 0; --left) {
    if (at >= value.size()) return {};
    const auto length = std::to_integer<std::size_t>(value[at++]);
    if (value.size() - at < length) return {};
    Record record;
    for (std::size_t i = 0; i < length; ++i) {
      record.name.push_back(std::to_integer<char>(value[at + i]));
    }
    at += length;
    auto pages = PageList::parse(value, at);
    if (!pages) return {};
    record.pages = std::move(*pages);
    out.push_back(std::move(record));
  }
  return out;
}

// Whether all pages lie among the chunks. Takes their bytes off `room`.
bool takes_room(const PageList& list, const frame::Header& header, std::uint64_t& room) {
  const std::uint64_t end = header.header_len + static_cast<std::uint64_t>(header.cbytes);
  for (std::size_t i = 0; i < list.pages.size(); ++i) {
    if (list.pages[i].absent()) continue;
    const std::uint64_t offset = list.pages[i].offset;
    const std::uint64_t length = list.length_of(i);
    if (offset < header.header_len || offset > end || length > end - offset || length > room) {
      return false;
    }
    room -= length;
  }
  return true;
}

}  // namespace

RecordBinding RecordBinding::of(std::span<const std::byte> index_chunk,
                                std::span<const std::byte> checksum_layer) {
  return {hash_of(index_chunk), hash_of(checksum_layer)};
}

std::vector<Record> records_of(const frame::State& state) {
  const frame::VlMetalayer* list = state.find(kRecordLayer);
  const frame::VlMetalayer* sums = state.find(kChecksumLayer);
  if (list == nullptr || sums == nullptr) return {};
  if (state.seal != Seal::valid && !base::mutant("stale_record_believed")) return {};
  try {
    const std::vector<std::byte> value =
        codec::decompress_bytes(list->chunk.data, kMostListBytes, {.what = kRecordLayer});
    std::vector<Record> records =
        parse(value, RecordBinding::of(state.index_chunk.data, sums->chunk.data));
    // Compaction copies them: those in one place again and again would fill the disk.
    auto room = static_cast<std::uint64_t>(state.header.cbytes);
    std::erase_if(records, [&](const Record& record) {
      return !takes_room(record.pages, state.header, room);
    });
    return records;
  } catch (const Error&) {
    return {};  // written by somebody else for something else
  }
}

std::vector<std::byte> build_record_layer(const RecordBinding& binding,
                                          std::span<const Record> records) {
  if (records.empty() || records.size() > kMostRecords) return {};
  std::vector<std::byte> value(kHeadBytes);
  value[0] = kBin32;
  value[kVersionAt] = kVersion;
  std::copy(binding.index.begin(), binding.index.end(), value.begin() + kIndexHashAt);
  std::copy(binding.sums.begin(), binding.sums.end(), value.begin() + kSumsHashAt);
  value[kCountAt] = static_cast<std::byte>(records.size() & 0xff);
  value[kCountAt + 1] = static_cast<std::byte>(records.size() >> 8);
  for (const Record& record : records) {
    value.push_back(static_cast<std::byte>(record.name.size()));
    for (const char c : record.name) value.push_back(static_cast<std::byte>(c));
    record.pages.append_to(value);
  }
  frame::store_big(std::span(value), 1, static_cast<std::uint32_t>(value.size() - kVersionAt));
  return pack_value(value);
}

}  // namespace mlarray::store
