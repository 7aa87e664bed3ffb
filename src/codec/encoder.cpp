#include "codec/encoder.hpp"

#include <blosc2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "base/environment.hpp"
#include "base/zeros.hpp"
#include "codec/blosc.hpp"
#include "codec/chunk_format.hpp"
#include "codec/decoder.hpp"
#include "codec/index_chunk.hpp"
#include "codec/plane_encoder.hpp"

namespace mlarray::codec {
namespace {

constexpr std::int64_t kMaxTypesize = 255;  // one byte in the header

// Blocks of chunks of general bytes, but the index.
constexpr std::int32_t kBytesBlockBytes = 256 << 10;

// The variables by which c-blosc2 lets the environment override its caller.
std::string blosc_variables() {
  std::string found;
  for (const char* name : {"BLOSC_COMPRESSOR", "BLOSC_SHUFFLE", "BLOSC_DELTA", "BLOSC_TYPESIZE",
                           "BLOSC_BLOCKSIZE", "BLOSC_SPLITMODE", "BLOSC_CLEVEL"}) {
    const std::optional<std::string> value = base::environment_variable(name);
    if (!value) continue;
    if (!found.empty()) found += ", ";
    found += std::string(name) + "=" + *value;
  }
  return found;
}

[[noreturn]] void throw_overridden(const std::string& what) {
  const std::string variables = blosc_variables();
  if (!variables.empty()) {
    throw Error(ErrorKind::invalid_use,
                "compression: " + what + ". The environment overrides it: unset " + variables);
  }
  throw Error(ErrorKind::unsupported,
              "compression: " + what + ". Choose another codec or other filters");
}

void check_data(std::span<const std::byte> data) {
  if (static_cast<std::int64_t>(data.size()) > kMaxChunkBytes) {
    throw Error(ErrorKind::unsupported, "a chunk of " + std::to_string(data.size()) +
                                            " bytes; the format holds up to " +
                                            std::to_string(kMaxChunkBytes) +
                                            ": choose smaller chunks");
  }
}

// A header without compressor and filters, in front of `tail` more bytes.
std::vector<std::byte> plain_chunk(NewHeader header, std::size_t tail) {
  std::vector<std::byte> chunk(kChunkHeaderBytes);
  header.cbytes = kChunkHeaderBytes + tail;
  put_chunk_header(chunk, header);
  chunk.resize(header.cbytes);
  return chunk;
}

std::uint8_t compressor_field(Codec codec) {
  switch (codec) {
    case Codec::blosclz:
      return kFormatBloscLz;
    case Codec::lz4:
    case Codec::lz4hc:
      return kFormatLz4;
    case Codec::zlib:
      return kFormatZlib;
    case Codec::zstd:
      return kFormatZstd;
  }
  return kFormatBloscLz;
}

}  // namespace

struct Encoder::State {
  CodecParams params;
  std::int32_t typesize;
  std::int32_t blocksize;
  std::optional<PlaneEncoder> planes;  // for whole blocks; else the context
  BloscContext context;
  std::unique_ptr<std::byte[]> buffer;
  std::size_t buffer_bytes = 0;
  std::vector<std::byte> single;  // of encode_block()

  blosc2_context* blosc() {
    if (context) return context.get();
    blosc2_cparams wanted = BLOSC2_CPARAMS_DEFAULTS;
    wanted.compcode = static_cast<std::uint8_t>(params.codec);
    wanted.clevel = static_cast<std::uint8_t>(params.level);
    wanted.typesize = typesize;
    wanted.blocksize = blocksize;
    wanted.nthreads = 1;
    wanted.splitmode = params.split ? BLOSC_ALWAYS_SPLIT : BLOSC_NEVER_SPLIT;
    std::copy(params.filters.begin(), params.filters.end(), wanted.filters);
    std::copy(params.filters_meta.begin(), params.filters_meta.end(), wanted.filters_meta);
    if (params.codec == Codec::zstd) check_memory_for_zstd();
    context.reset(blosc2_create_cctx(wanted));
    // The parameters are checked: who changes them is the environment.
    if (!context && blosc_variables().empty()) throw std::bad_alloc();
    if (!context) throw_overridden("c-blosc2 refused the parameters");
    return context.get();
  }

  // A chunk by c-blosc2: until the next call.
  std::span<const std::byte> compress(std::span<const std::byte> data) {
    // Always enough: data that does not shrink is stored behind the header.
    const std::size_t bound = data.size() + kChunkHeaderBytes;
    if (bound > buffer_bytes) {
      buffer = std::make_unique_for_overwrite<std::byte[]>(bound);
      buffer_bytes = bound;
    }
    const int written =
        blosc2_compress_ctx(blosc(), data.data(), static_cast<std::int32_t>(data.size()),
                            buffer.get(), static_cast<std::int32_t>(bound));
    check_memory(written);
    if (written <= 0) {
      throw_overridden("c-blosc2 refused the data (error " + std::to_string(written) + ")");
    }
    const std::span<const std::byte> chunk(buffer.get(), static_cast<std::size_t>(written));
    check(chunk, data.size());
    return chunk;
  }

  // The header of what c-blosc2 made, against what it was asked for.
  void check(std::span<const std::byte> chunk, std::size_t nbytes) const {
    const ChunkHeader header = parse_chunk(
        chunk, Expected{static_cast<std::int64_t>(nbytes), -1, -1, "the chunk just written"});
    const auto codec_id = std::to_integer<std::uint8_t>(chunk[at::kCodecId]);
    if (codec_id != static_cast<std::uint8_t>(params.codec) ||
        (!header.memcpyed && header.compressor != compressor_field(params.codec))) {
      throw_overridden("c-blosc2 used codec " + std::to_string(codec_id) + " instead of " +
                       std::to_string(static_cast<int>(params.codec)));
    }
    if (header.typesize != typesize) {
      throw_overridden("c-blosc2 used elements of " + std::to_string(header.typesize) +
                       " bytes instead of " + std::to_string(typesize));
    }
    if (header.blocksize != blocksize) {
      throw_overridden("c-blosc2 made blocks of " + std::to_string(header.blocksize) +
                       " bytes instead of " + std::to_string(blocksize));
    }
    if (header.filters != params.filters || header.filters_meta != params.filters_meta) {
      throw_overridden("c-blosc2 used other filters than asked for");
    }
    if (!header.memcpyed && header.split != params.split) {
      throw_overridden("c-blosc2 split the blocks in another way than asked for");
    }
  }
};

Encoder::Encoder(const CodecParams& params, std::int64_t typesize, std::int32_t blocksize)
    : state_(std::make_unique<State>()) {
  check_params(params);
  start_blosc();
  State& state = *state_;
  state.params = params;
  state.typesize = static_cast<std::int32_t>(
      typesize > kMaxTypesize ? 1 : std::max<std::int64_t>(typesize, 1));
  state.blocksize = blocksize;
  if (blocksize <= 0 || blocksize > kMaxBlockBytes || blocksize % state.typesize != 0) {
    throw Error(ErrorKind::unsupported,
                "blocks of " + std::to_string(blocksize) + " bytes with elements of " +
                    std::to_string(typesize) +
                    "; a block is a multiple of its element, up to " +
                    std::to_string(kMaxBlockBytes) + " bytes: choose another block size");
  }
  for (std::size_t i = 0; i < params.filters.size(); ++i) {
    const auto filter = static_cast<Filter>(params.filters[i]);
    if (filter == Filter::shuffle && state.typesize == 1 && params.filters_meta[i] == 0) {
      // Changes nothing, but readers undo it byte by byte.
      state.params.filters[i] = static_cast<std::uint8_t>(Filter::none);
    }
    if (filter == Filter::bytedelta && params.filters_meta[i] == 0) {
      // Without a width this filter works only inside a super-chunk.
      state.params.filters_meta[i] = static_cast<std::uint8_t>(state.typesize);
    }
  }

  if (PlaneEncoder::handles(state.params, state.typesize, blocksize)) {
    state.planes.emplace(state.params, state.typesize, blocksize);
  } else {
    state.blosc();
  }
}

Encoder::~Encoder() = default;
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;

std::vector<std::byte> Encoder::encode(std::span<const std::byte> data) {
  State& state = *state_;
  check_data(data);
  if (base::all_zero(data)) {
    constexpr auto zeros = static_cast<std::uint8_t>(static_cast<int>(Special::zeros) << 4);
    return plain_chunk({.flags2 = data.empty() ? std::uint8_t{0} : zeros,
                        .typesize = state.typesize,
                        .nbytes = data.size(),
                        .blocksize = state.blocksize},
                       0);
  }
  if (state.planes && data.size() % static_cast<std::size_t>(state.blocksize) == 0) {
    return state.planes->encode(data);
  }
  const std::span<const std::byte> chunk = state.compress(data);
  return {chunk.begin(), chunk.end()};
}

std::optional<std::span<const std::byte>> Encoder::encode_block(
    std::span<const std::byte> data) {
  State& state = *state_;
  const std::size_t size = data.size();
  if (size != static_cast<std::size_t>(state.blocksize)) {
    throw Error(ErrorKind::invalid_use, "encode_block: " + std::to_string(size) +
                                            " bytes for a block of " +
                                            std::to_string(state.blocksize));
  }
  if (base::all_zero(data)) {  // no filter changes them; each stream is a run
    state.single.assign(4 * static_cast<std::size_t>(state.params.split ? state.typesize : 1),
                        std::byte{0});
    return state.single;
  }
  if (state.planes) return state.planes->encode_block(data);
  // c-blosc2 encodes chunks. Beside a block of zeros this one is stored as it would be in a
  // chunk that shrinks, also if it does not shrink itself.
  state.single.resize(2 * size);
  copy_bytes(data, state.single.data());
  fill_bytes(std::span(state.single).subspan(size), 0);
  const std::span<const std::byte> chunk = state.compress(state.single);
  const ChunkHeader header = parse_chunk(chunk, {});
  if (header.memcpyed || header.special != Special::none) return std::nullopt;
  return block_bytes(chunk, header, 0);
}

std::optional<CodecParams> params_for_blocks(const ChunkHeader& header, CodecParams params) {
  if (header.special != Special::none || header.memcpyed || header.whole_only() ||
      header.compressor != compressor_field(params.codec)) {
    return std::nullopt;
  }
  // As far as they change anything.
  const auto effect = [&](std::uint8_t code, std::uint8_t meta) {
    const auto filter = static_cast<Filter>(code);
    if (filter == Filter::none ||
        (filter == Filter::shuffle && header.typesize == 1 && meta == 0)) {
      return std::pair<std::uint8_t, std::uint8_t>(0, 0);
    }
    const bool own_width = filter == Filter::bytedelta && meta == 0;
    return std::pair(code, own_width ? header.typesize : meta);
  };
  bool same = true;
  bool none = true;
  for (std::size_t i = 0; i < params.filters.size(); ++i) {
    const auto own = effect(header.filters[i], header.filters_meta[i]);
    same = same && own == effect(params.filters[i], params.filters_meta[i]);
    none = none && own.first == 0;
  }
  if (!same && !none) return std::nullopt;
  if (!same) {
    params.filters = {};
    params.filters_meta = {};
  }
  params.split = header.split;
  return params;
}

std::optional<std::vector<std::byte>> join_blocks(
    std::span<const std::byte> head, const ChunkHeader& header,
    std::span<const std::span<const std::byte>> blocks) {
  std::size_t length = kChunkHeaderBytes + 4 * blocks.size();
  const std::size_t limit = kChunkHeaderBytes + static_cast<std::size_t>(header.nbytes);
  for (const std::span<const std::byte> block : blocks) {
    length += block.size();
    if (length >= limit) return std::nullopt;
  }
  std::vector<std::byte> chunk;
  chunk.reserve(length);  // not cleared
  chunk.insert(chunk.end(), head.begin(), head.begin() + kChunkHeaderBytes);
  chunk.resize(kChunkHeaderBytes + 4 * blocks.size());
  store_i32(chunk, at::kCbytes, static_cast<std::int32_t>(length));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    store_i32(chunk, kChunkHeaderBytes + 4 * i, static_cast<std::int32_t>(chunk.size()));
    chunk.insert(chunk.end(), blocks[i].begin(), blocks[i].end());
  }
  return chunk;
}

std::vector<std::byte> store_chunk(std::span<const std::byte> data, std::int32_t typesize,
                                   std::int32_t blocksize) {
  check_data(data);
  std::vector<std::byte> chunk = plain_chunk(
      {.flags = kMemcpyed, .typesize = typesize, .nbytes = data.size(), .blocksize = blocksize},
      data.size());
  copy_bytes(data, chunk.data() + kChunkHeaderBytes);
  return chunk;
}

std::vector<std::byte> compress_bytes(std::span<const std::byte> data, std::int32_t typesize) {
  check_data(data);
  const bool index = typesize > 1;
  const std::int32_t limit =
      index ? static_cast<std::int32_t>(kIndexBlockBytes) : kBytesBlockBytes;
  const auto size = static_cast<std::int32_t>(data.size());
  // c-blosc2 stores less than 32 bytes as they are, too.
  if (size < 32 || size % typesize != 0) return store_chunk(data, typesize, size);

  CodecParams params;
  params.codec = Codec::zstd;
  params.level = 3;
  if (index) params.filters[5] = static_cast<std::uint8_t>(Filter::shuffle);
  const std::int32_t blocksize = std::min(size, limit / typesize * typesize);
  return Encoder(params, typesize, blocksize).encode(data);
}

std::vector<std::byte> decompress_bytes(std::span<const std::byte> chunk,
                                        std::int64_t max_bytes, const Expected& expected) {
  const ChunkHeader header = parse_chunk(chunk, expected);
  if (header.nbytes > max_bytes) {
    throw_corrupt(expected.what, "it claims " + std::to_string(header.nbytes) +
                                     " bytes; at most " + std::to_string(max_bytes) +
                                     " are possible here");
  }
  std::vector<std::byte> out(static_cast<std::size_t>(header.nbytes));
  // Kept, since ZSTD's context takes longer to make than an index to decode. Not in the memory
  // of the thread itself: where there is none for that, the process ends.
  static thread_local std::unique_ptr<Decoder> decoder;
  if (!decoder) decoder = std::make_unique<Decoder>();
  struct Trim {  // also of what could not be decoded
    Decoder& of;
    ~Trim() { of.trim(std::size_t{1} << 20); }
  };
  const Trim trim{*decoder};
  decoder->decode_chunk(chunk, header, out, expected.what);
  return out;
}

}  // namespace mlarray::codec
