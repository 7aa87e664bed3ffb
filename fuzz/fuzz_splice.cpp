// Some voxels of one Blosc2 chunk are replaced by block.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "codec/chunk_format.hpp"
#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "fuzz.hpp"
#include "pipeline/splice.hpp"

using namespace mlarray;

namespace {

using Data = std::vector<std::byte>;

constexpr std::int32_t kMostBytes = 1 << 20;

// What the chunk may have been written with; nothing for what no edit goes on with.
std::optional<CodecParams> params_of(const codec::ChunkHeader& header) {
  CodecParams params;
  switch (header.compressor) {
    case codec::kFormatBloscLz:
      params.codec = Codec::blosclz;
      break;
    case codec::kFormatLz4:
      params.codec = Codec::lz4hc;
      break;
    case codec::kFormatZlib:
      params.codec = Codec::zlib;
      break;
    default:
      params.codec = Codec::zstd;
      break;
  }
  params.level = 3;
  params.filters = header.filters;
  params.filters_meta = header.filters_meta;
  params.split = header.split;
  params.adaptive = true;
  if (codec::shortens(params)) return std::nullopt;  // what is read is not what was written
  if (!fuzz::accepts([&] { codec::check_params(params); })) return std::nullopt;
  return params;
}

std::optional<Data> decoded_block(const Data& chunk, const codec::ChunkHeader& header,
                                  std::int32_t block) {
  Data out(static_cast<std::size_t>(header.blocksize));
  codec::Decoder decoder;
  if (!fuzz::accepts([&] { decoder.decode_block(chunk, header, block, out, "chunk"); })) {
    return std::nullopt;
  }
  return out;
}

// The spliced chunk against the old one.
void compare(const Data& old, const codec::ChunkHeader& header, const Data& found,
             std::int64_t start, fuzz::Input voxels) {
  const codec::ChunkHeader now = codec::parse_chunk(
      found,
      {.nbytes = header.nbytes, .blocksize = header.blocksize, .typesize = header.typesize});
  fuzz::require(now.filters == header.filters && now.split == header.split &&
                    now.compressor == header.compressor && !now.memcpyed,
                "the header stays");
  std::size_t at =
      codec::kChunkHeaderBytes + 4 * static_cast<std::size_t>(header.block_count());
  for (std::int32_t block = 0; block < header.block_count(); ++block) {
    const auto stored = codec::block_bytes(found, now, block);
    fuzz::require(stored.data() == found.data() + at, "blocks lie one behind the other");
    at += stored.size();
    const std::int64_t first = std::int64_t{block} * header.blocksize;
    const std::int64_t end = first + header.blocksize;
    const std::int64_t stop = start + static_cast<std::int64_t>(voxels.size());
    const bool touched = start < end && stop > first;
    const bool covered = start <= first && stop >= end;
    std::optional<Data> expected;
    if (!covered) expected = decoded_block(old, header, block);
    if (covered) expected.emplace(static_cast<std::size_t>(header.blocksize));
    for (std::int64_t i = std::max(first, start); expected && i < std::min(end, stop); ++i) {
      (*expected)[static_cast<std::size_t>(i - first)] =
          voxels[static_cast<std::size_t>(i - start)];
    }
    fuzz::require(!touched || expected, "what was merged could be decoded");
    fuzz::require(decoded_block(found, now, block) == expected,
                  "an edit changes what it names and nothing else");
  }
  fuzz::require(at == found.size(), "nothing lies between and behind the blocks");
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const std::uint64_t where = choices.bits(4);
  const std::uint64_t length = choices.bits(2);
  const auto fill = static_cast<std::byte>(choices.bits(1));
  const fuzz::Input rest = choices.rest();
  const Data chunk(rest.begin(), rest.end());
  codec::ChunkHeader header;
  if (!fuzz::accepts([&] { header = codec::parse_chunk(chunk, {}); })) return;
  if (header.nbytes <= 0 || header.nbytes > kMostBytes || header.typesize == 0 ||
      header.blocksize % header.typesize != 0 || header.nbytes % header.blocksize != 0) {
    return;  // in no array
  }
  const auto codec = params_of(header);
  if (!codec) return;
  const std::int64_t itemsize = header.typesize;
  const std::int64_t count = header.nbytes / itemsize;
  const grid::Geometry geometry({count}, {count}, {header.blocksize / itemsize}, itemsize);
  store::ChunkStore store(1);
  store.replace(0, std::make_shared<const Data>(chunk));

  const std::int64_t start = static_cast<std::int64_t>(where) % count;
  const std::int64_t stop =
      std::min(count, start + 1 + static_cast<std::int64_t>(length) % count);
  Data voxels(static_cast<std::size_t>((stop - start) * itemsize), fill);
  for (std::size_t i = 0; i < voxels.size(); i += 3) voxels[i] = static_cast<std::byte>(i * 7);
  const Box box{{start}, {stop}};
  const ConstArrayView view{voxels.data(), {stop - start}, {itemsize}};
  const std::array<std::int64_t, 1> numbers{0};
  std::optional<pipeline::EncodedChunk> made;
  std::vector<std::int64_t> whole;
  if (!fuzz::accepts([&] {
        whole = pipeline::splice_chunks(
            store, geometry, {box, view}, numbers, *codec, 1,
            [&](pipeline::EncodedChunk&& one) { made = std::move(one); });
      })) {
    return;
  }
  fuzz::require(made.has_value() == whole.empty(), "a chunk is spliced or left");
  if (!made) return;
  if (made->bytes.empty()) {  // zeros
    const auto zero = [](std::byte byte) { return byte == std::byte{0}; };
    fuzz::require(std::ranges::all_of(voxels, zero), "zeros are zeros");
    return;
  }
  compare(chunk, header, made->bytes, start * itemsize, voxels);
}
