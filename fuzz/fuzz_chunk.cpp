// One Blosc2 chunk, decoded by block, as a whole, and by c-blosc2.
#include <blosc2.h>

#include <algorithm>
#include <vector>

#include "codec/block_decoder.hpp"
#include "codec/blosc.hpp"
#include "codec/checksum.hpp"
#include "codec/chunk_format.hpp"
#include "codec/decoder.hpp"
#include "fuzz.hpp"

using namespace mlarray;

namespace {

// Blocks that c-blosc2 cannot address are decoded with the whole chunk, each of them.
constexpr std::int32_t kMostBytes = 1 << 20;
// What c-blosc2 leaves unwritten must not pass for decoded voxels.
constexpr std::byte kUntouched{0xa5};

// The fast path against the plain one, which gave `elements` if it was `decoded`.
void check_view(codec::Decoder& decoder, fuzz::Input chunk, const codec::ChunkHeader& header,
                std::int32_t block, std::span<const std::byte> elements, bool decoded) {
  codec::BlockView view;
  const bool viewed =
      fuzz::accepts([&] { view = decoder.view_block(chunk, header, block, "chunk"); });
  if (!decoded) return;  // of this block or of one before
  fuzz::require(viewed, "what can be decoded can be viewed");
  const auto planes = static_cast<std::size_t>(view.planes);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::byte found = planes == 0 ? view.plane[0][i] : view.plane[i % planes][i / planes];
    fuzz::require(found == elements[i], "a view holds what the block holds");
  }
}

std::vector<std::byte> by_block(fuzz::Input chunk, const codec::ChunkHeader& header,
                                bool& whole) {
  std::vector<std::byte> out(static_cast<std::size_t>(header.nbytes));
  codec::Decoder decoder;
  whole = true;
  for (std::int32_t block = 0; block < header.block_count(); ++block) {
    const auto start =
        static_cast<std::size_t>(block) * static_cast<std::size_t>(header.blocksize);
    const auto size = static_cast<std::size_t>(codec::block_size(header, block));
    whole = fuzz::accepts([&] {
              decoder.decode_block(chunk, header, block, std::span(out).subspan(start, size),
                                   "chunk");
            }) &&
            whole;
    check_view(decoder, chunk, header, block, std::span(out).subspan(start, size), whole);
    if (header.special == codec::Special::none) {
      fuzz::accepts([&] { codec::block_checksum(chunk, header, 1, 0, block); });
    }
  }
  return out;
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  codec::ChunkHeader header;
  if (!fuzz::accepts([&] { header = codec::parse_chunk(input, {}); })) return;
  if (header.nbytes > kMostBytes) return;

  codec::Decoder decoder;
  std::vector<std::byte> whole(static_cast<std::size_t>(header.nbytes), kUntouched);
  const bool decoded =
      fuzz::accepts([&] { decoder.decode_chunk(input, header, whole, "chunk"); });
  if (!header.whole_only()) {
    bool every_block = false;
    const std::vector<std::byte> blocks = by_block(input, header, every_block);
    fuzz::require(every_block == decoded, "a chunk decodes if all of its blocks do");
    fuzz::require(!decoded || blocks == whole, "blocks are what the whole chunk holds there");
  }
  if (!decoded || !codec::BlockDecoder::handles(header)) return;

  // Ours is a second implementation of the same format.
  std::vector<std::byte> peer(whole.size(), kUntouched);
  const auto context = codec::make_decompressor();
  const int written = blosc2_decompress_ctx(
      context.get(), input.data(), static_cast<std::int32_t>(input.size()), peer.data(),
      static_cast<std::int32_t>(peer.size()));
  if (written == header.nbytes) {
    fuzz::require(peer == whole, "c-blosc2 decodes to the same bytes");
  }
}
