#include "codec/decoder.hpp"

#include <blosc2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/memory.hpp"
#include "codec/block_decoder.hpp"
#include "codec/blosc.hpp"
#include "codec/chunk_format.hpp"
#include "mlarray/options.hpp"

namespace mlarray::codec {
namespace {

// Repeats `item` over `out`, which starts `phase` bytes into one.
void fill_repeated(std::span<const std::byte> item, std::size_t phase,
                   std::span<std::byte> out) {
  if (item.size() == 1) {
    fill_bytes(out, std::to_integer<std::uint8_t>(item[0]));
    return;
  }
  std::size_t done = std::min(out.size(), item.size() - phase);
  copy_bytes(item.subspan(phase, done), out.data());
  const std::size_t first = std::min(out.size() - done, item.size());
  copy_bytes(item.first(first), out.data() + done);
  // From here on copy what is there, doubling it; `done` bytes lie before whole items.
  const std::size_t start = done;
  done += first;
  while (done < out.size()) {
    const std::size_t have = (done - start) / item.size() * item.size();
    const std::size_t step = std::min(have, out.size() - done);
    std::memcpy(out.data() + done, out.data() + start, step);
    done += step;
  }
}

// As c-blosc2 fills: a float32 in 4 bytes, a float64 in 8 (for a complex64 that is one NaN,
// the imaginary part). It has no NaN of another size; float16 is ours.
std::span<const std::byte> nan_item(std::int64_t itemsize) {
  static constexpr std::array<std::byte, 2> half{std::byte{0x00}, std::byte{0x7e}};
  static constexpr std::array<std::byte, 4> single{std::byte{0}, std::byte{0}, std::byte{0xc0},
                                                   std::byte{0x7f}};
  static constexpr std::array<std::byte, 8> twice{std::byte{0},    std::byte{0},   std::byte{0},
                                                  std::byte{0},    std::byte{0},   std::byte{0},
                                                  std::byte{0xf8}, std::byte{0x7f}};
  if (itemsize == 2) return half;
  if (itemsize == 4) return single;
  if (itemsize == 8) return twice;
  throw Error(ErrorKind::unsupported, "a run of NaN in elements of " +
                                          std::to_string(itemsize) +
                                          " bytes; the format has it for 2, 4 and 8");
}

void fill_special_at(Special special, std::span<const std::byte> item, std::int64_t itemsize,
                     std::int64_t position, std::span<std::byte> out) {
  if (special == Special::zeros || special == Special::uninit) {
    fill_bytes(out, 0);
    return;
  }
  const std::span<const std::byte> value = special == Special::nan ? nan_item(itemsize) : item;
  if (special == Special::none || value.empty()) {
    throw Error(ErrorKind::invalid_use, "fill_special: there is no value to repeat");
  }
  const auto phase = static_cast<std::size_t>(position) % value.size();
  fill_repeated(value, phase, out);
}

}  // namespace

void fill_special(Special special, std::span<const std::byte> item, std::int64_t itemsize,
                  std::span<std::byte> out) {
  fill_special_at(special, item, itemsize, 0, out);
}

struct Decoder::State {
  BlockDecoder blocks;
  // Made when first needed: most threads meet only chunks that `blocks` decodes.
  BloscContext context;
  bool knows_zstd = false;         // the context had memory for it
  std::vector<std::byte> patched;  // a chunk with its header completed
  std::vector<std::byte> whole;    // for blocks that c-blosc2 cannot address
  base::Scratch<> viewed;          // blocks that nobody gave a place

  blosc2_context* blosc(const ChunkHeader& header) {
    if (header.compressor == kFormatZstd && !knows_zstd) {
      check_memory_for_zstd();
      knows_zstd = true;
    }
    if (!context) context = make_decompressor();
    return context.get();
  }

  // BYTEDELTA with no width of its own means the element size of the super-chunk, which a
  // chunk alone does not know: state it.
  std::span<const std::byte> complete(std::span<const std::byte> chunk,
                                      const ChunkHeader& header) {
    bool copied = false;
    for (std::size_t i = 0; i < header.filters.size(); ++i) {
      if (header.filters[i] != static_cast<std::uint8_t>(Filter::bytedelta) ||
          header.filters_meta[i] != 0) {
        continue;
      }
      if (!copied) patched.assign(chunk.begin(), chunk.end());
      copied = true;
      patched[at::kFiltersMeta + i] = std::byte{header.typesize};
    }
    return copied ? std::span<const std::byte>(patched) : chunk;
  }
};

Decoder::Decoder() : state_(std::make_unique<State>()) { start_blosc(); }
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

namespace {

[[noreturn]] void throw_block(std::string_view what, std::int32_t block, int code) {
  throw_corrupt(what, "block " + std::to_string(block) + " cannot be decoded" +
                          (code < 0 ? " (c-blosc2 error " + std::to_string(code) + ")" : ""));
}

void check_out(std::size_t size, std::int64_t expected, std::string_view what) {
  if (static_cast<std::int64_t>(size) != expected) {
    throw Error(ErrorKind::invalid_use, std::string(what) + ": a buffer of " +
                                            std::to_string(size) + " bytes for " +
                                            std::to_string(expected));
  }
}

}  // namespace

namespace {

// Errors: invalid_use.
void check_block(const ChunkHeader& header, std::int32_t block, std::string_view what) {
  if (block < 0 || block >= header.block_count() || header.whole_only()) {
    throw Error(ErrorKind::invalid_use,
                std::string(what) + ": block " + std::to_string(block) + " of " +
                    std::to_string(header.block_count()) +
                    (header.whole_only() ? ", but the chunk can only be decoded as a whole"
                                         : " does not exist"));
  }
}

}  // namespace

bool blocks_stand_alone(const ChunkHeader& header) noexcept {
  return header.special == Special::none && (header.memcpyed || BlockDecoder::handles(header));
}

std::optional<BlockView> Decoder::view_stored(std::span<const std::byte> stored,
                                              const ChunkHeader& header, std::int32_t block,
                                              std::size_t wanted) {
  if (!header.memcpyed) return state_->blocks.view(stored, header, block, wanted);
  if (stored.size() < static_cast<std::size_t>(block_size(header, block))) return std::nullopt;
  BlockView view;
  view.plane[0] = stored.data();
  return view;
}

BlockView Decoder::view_block(std::span<const std::byte> chunk, const ChunkHeader& header,
                              std::int32_t block, std::string_view what, std::size_t wanted) {
  check_block(header, block, what);
  if (blocks_stand_alone(header)) {
    const auto stored =
        header.memcpyed ? stored_block(chunk, header, block) : block_tail(chunk, block);
    const auto view = stored ? view_stored(*stored, header, block, wanted) : std::nullopt;
    if (!view) throw_block(what, block, 0);
    return *view;
  }
  BlockView view;
  const std::span<std::byte> place =
      state_->viewed.get(static_cast<std::size_t>(block_size(header, block)));
  decode_block(chunk, header, block, place, what);
  view.plane[0] = place.data();
  return view;
}

void Decoder::trim(std::size_t most_bytes) {
  state_->blocks.trim(most_bytes);
  state_->viewed.trim(most_bytes);
  for (std::vector<std::byte>* kept : {&state_->patched, &state_->whole}) {
    if (kept->capacity() > most_bytes) std::vector<std::byte>().swap(*kept);
  }
}

void Decoder::decode_block(std::span<const std::byte> chunk, const ChunkHeader& header,
                           std::int32_t block, std::span<std::byte> out,
                           std::string_view what) {
  check_block(header, block, what);
  check_out(out.size(), block_size(header, block), what);
  const std::int64_t position = std::int64_t{block} * header.blocksize;

  if (header.special != Special::none) {
    fill_special_at(header.special, chunk.subspan(kChunkHeaderBytes), header.typesize, position,
                    out);
    return;
  }
  if (header.memcpyed) {
    const auto stored = stored_block(chunk, header, block);
    if (!stored) throw_block(what, block, 0);
    copy_bytes(*stored, out.data());
    return;
  }
  if (BlockDecoder::handles(header)) {
    const auto stored = block_tail(chunk, block);
    if (!stored || !state_->blocks.decode(*stored, header, out)) throw_block(what, block, 0);
    return;
  }

  const auto size = static_cast<std::int64_t>(out.size());
  if (position % header.typesize != 0 || size % header.typesize != 0) {
    // c-blosc2 counts in elements; this block does not begin or end at one.
    state_->whole.resize(static_cast<std::size_t>(header.nbytes));
    decode_chunk(chunk, header, state_->whole, what);
    copy_bytes(std::span(state_->whole).subspan(static_cast<std::size_t>(position), out.size()),
               out.data());
    return;
  }
  const auto source = state_->complete(chunk, header);
  const int written = blosc2_getitem_ctx(
      state_->blosc(header), source.data(), static_cast<std::int32_t>(source.size()),
      static_cast<int>(position / header.typesize), static_cast<int>(size / header.typesize),
      out.data(), static_cast<std::int32_t>(size));
  check_memory(written);
  if (written != size) throw_block(what, block, written);
}

void Decoder::decode_chunk(std::span<const std::byte> chunk, const ChunkHeader& header,
                           std::span<std::byte> out, std::string_view what) {
  check_out(out.size(), header.nbytes, what);
  if (out.empty()) return;
  if (header.special != Special::none) {
    fill_special_at(header.special, chunk.subspan(kChunkHeaderBytes), header.typesize, 0, out);
    return;
  }
  if (header.memcpyed) {
    if (kChunkHeaderBytes + out.size() > chunk.size()) throw_block(what, 0, 0);
    copy_bytes(chunk.subspan(kChunkHeaderBytes, out.size()), out.data());
    return;
  }
  if (BlockDecoder::handles(header)) {
    for (std::int32_t block = 0; block < header.block_count(); ++block) {
      const auto start =
          static_cast<std::size_t>(block) * static_cast<std::size_t>(header.blocksize);
      const auto size = static_cast<std::size_t>(block_size(header, block));
      const auto stored = block_tail(chunk, block);
      if (!stored || !state_->blocks.decode(*stored, header, out.subspan(start, size))) {
        throw_block(what, block, 0);
      }
    }
    return;
  }
  const auto source = state_->complete(chunk, header);
  // A context keeps a dictionary, by its address in the chunk, until the next whole decode:
  // such chunks get one of their own.
  if (header.dictionary && header.compressor == kFormatZstd) check_memory_for_zstd();
  const BloscContext own = header.dictionary ? make_decompressor() : BloscContext();
  const int written =
      blosc2_decompress_ctx(header.dictionary ? own.get() : state_->blosc(header),
                            source.data(), static_cast<std::int32_t>(source.size()), out.data(),
                            static_cast<std::int32_t>(out.size()));
  check_memory(written);
  if (written != header.nbytes) {
    throw_corrupt(what, "it cannot be decoded (c-blosc2 returned " + std::to_string(written) +
                            " for " + std::to_string(header.nbytes) + " bytes)");
  }
}

}  // namespace mlarray::codec
