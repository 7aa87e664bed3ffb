#include "array/chunk_check.hpp"

#include "codec/checksum.hpp"
#include "mlarray/error.hpp"

namespace mlarray::array {
namespace {

std::int64_t chunk_typesize(std::int64_t itemsize) { return itemsize > 255 ? 1 : itemsize; }

std::string hex(std::uint32_t value) {
  std::string text(8, '0');
  for (std::size_t i = text.size(); i-- > 0; value >>= 4)
    text[i] = "0123456789abcdef"[value & 15];
  return text;
}

}  // namespace

std::string chunk_name(std::int64_t number) { return "chunk " + std::to_string(number); }

codec::ChunkHeader checked_header(const ChunkRef& ref, const Geometry& geometry,
                                  std::int64_t number) {
  if (ref.special != codec::Special::none) return {};
  const std::string name = chunk_name(number);
  return codec::parse_chunk(ref.bytes.data, {.nbytes = geometry.chunk_bytes(),
                                             .blocksize = geometry.block_bytes(),
                                             .typesize = chunk_typesize(geometry.itemsize()),
                                             .what = name});
}

std::uint64_t BlockCheck::seed() const {
  return recorded() ? codec::checksum_seed(ref_.bytes.data, header_) : 0;
}

void BlockCheck::check(std::uint64_t seed, std::int32_t block) const {
  if (!recorded()) return;
  const std::size_t place = ref_.sums.first_block + static_cast<std::size_t>(block);
  FoundWhole* whole = again_ ? nullptr : ref_.sums.whole;
  if (whole != nullptr && whole->get(place)) return;
  // Blocks of a chunk have sums all or none: with none here, the header is not the one written.
  const std::uint32_t expected = ref_.sums.of_block(block);
  std::string wrong;
  try {
    const std::uint32_t found =
        codec::block_checksum(ref_.bytes.data, header_, seed, number_, block);
    if (found == expected) {
      if (whole != nullptr) whole->set(place);
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

void BlockCheck::check_all(std::uint64_t seed) const {
  if (!recorded()) return;
  const bool special = header_.special != codec::Special::none;
  const std::int32_t count = special ? 1 : header_.block_count();
  for (std::int32_t block = 0; block < count; ++block) check(seed, block);
}

}  // namespace mlarray::array
