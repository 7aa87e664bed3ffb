#include "store/block_check.hpp"

#include "codec/checksum.hpp"
#include "mlarray/error.hpp"

namespace mlarray::store {
namespace {

std::string hex(std::uint32_t value) {
  std::string text(8, '0');
  for (std::size_t i = text.size(); i-- > 0; value >>= 4)
    text[i] = "0123456789abcdef"[value & 15];
  return text;
}

}  // namespace

std::int64_t chunk_typesize(std::int64_t itemsize) { return itemsize > 255 ? 1 : itemsize; }

std::string chunk_name(std::int64_t number) { return "chunk " + std::to_string(number); }

codec::ChunkHeader checked_header(const ChunkRef& ref, const grid::Geometry& geometry,
                                  std::int64_t number) {
  if (ref.special != codec::Special::none) return {};
  const std::string name = chunk_name(number);
  return codec::parse_chunk(ref.head.data, static_cast<std::size_t>(ref.length),
                            {.nbytes = geometry.chunk_bytes(),
                             .blocksize = geometry.block_bytes(),
                             .typesize = chunk_typesize(geometry.itemsize()),
                             .what = name});
}

std::uint64_t BlockCheck::seed() const {
  if (!recorded()) return 0;
  return codec::checksum_seed(header_.dictionary ? ref_.bytes.data : ref_.head.data, header_);
}

std::size_t BlockCheck::place_of(std::int32_t block) const {
  return ref_.sums.first_block + static_cast<std::size_t>(block);
}

bool BlockCheck::found_whole(std::int32_t block) const {
  return !again_ && ref_.sums.whole != nullptr && ref_.sums.whole->get(place_of(block));
}

void BlockCheck::keep_found_whole(std::int32_t block) const {
  if (!again_ && ref_.sums.whole != nullptr) ref_.sums.whole->set(place_of(block));
}

void BlockCheck::check(std::uint64_t seed, std::int32_t block) const {
  if (!recorded() || found_whole(block)) return;
  // Blocks of a chunk have sums all or none: with none here, the header is not the one written.
  const std::uint32_t expected = ref_.sums.of_block(block);
  std::string wrong;
  try {
    const std::uint32_t found =
        codec::block_checksum(ref_.bytes.data, header_, seed, number_, block);
    if (found == expected) {
      keep_found_whole(block);
      return;
    }
    wrong = "its checksum is " + hex(found) + ", recorded was " + hex(expected);
  } catch (const Error&) {
    wrong = "its streams have a wrong form or reach past the end of the chunk";
  }
  const bool special = header_.special != codec::Special::none;
  const Box box = special ? geometry_.chunk_box(number_) : geometry_.block_box(number_, block);
  throw Error(ErrorKind::corruption,
              chunk_name(number_) + ", block " + std::to_string(block) +
                  " is damaged (voxels " + to_string(box.start) + " to " + to_string(box.stop) +
                  "): " + wrong +
                  "; restore the file from a copy or write it again. 'mlarray verify' lists "
                  "all damage; verify=False reads the bytes as they are");
}

bool BlockCheck::passes(std::uint64_t seed, std::int32_t block,
                        std::span<const std::byte> stored) const {
  if (!recorded() || found_whole(block)) return true;
  const auto bytes = codec::block_bytes_in(stored, header_, block);
  if (!bytes ||
      codec::stored_checksum(*bytes, seed, number_, block) != ref_.sums.of_block(block)) {
    return false;
  }
  keep_found_whole(block);
  return true;
}

void BlockCheck::check_all(std::uint64_t seed) const {
  if (!recorded()) return;
  const bool special = header_.special != codec::Special::none;
  const std::int32_t count = special ? 1 : header_.block_count();
  for (std::int32_t block = 0; block < count; ++block) check(seed, block);
}

}  // namespace mlarray::store
