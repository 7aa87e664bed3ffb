// The choice and the checking of compression parameters.
#include <string>

#include "codec/encoder.hpp"
#include "mlarray/error.hpp"

namespace mlarray::codec {
namespace {

constexpr int kMaxFilters = 2;

// Numbers are shuffled and split, and each plane treated by itself (plane_encoder.cpp, with the
// figures). Of whole volumes, against the reference's default (LZ4HC level 8, shuffle):
// docs/performance.md.
CodecParams numbers(Preset preset, std::int64_t itemsize) {
  CodecParams params;
  params.split = true;
  params.adaptive = true;
  switch (preset) {
    case Preset::fast:
      // The level counts for the few planes that shrink, and of two planes such a one takes
      // more of the time than of four. On the CT volumes the file is then within 1 % of what
      // LZ4HC's level 8 makes, which takes four times as long.
      params.codec = Codec::lz4hc;
      params.level = itemsize == 2 ? 3 : 4;
      break;
    case Preset::balanced:
      params.codec = Codec::zstd;
      params.level = 1;
      break;
    case Preset::small:
      params.codec = Codec::zstd;
      params.level = 5;
      break;
  }
  return params;
}

// Label maps are long runs. An entropy coder makes them smallest, also at little cost, but
// patches take two to three times as long to read. Shuffle means nothing for one byte.
CodecParams bytes(Preset preset) {
  CodecParams params;
  params.adaptive = true;
  if (preset == Preset::fast) {
    params.codec = Codec::lz4hc;
    params.level = 6;  // by run_encoder.cpp: denser than LZ4HC's level 8
    return params;
  }
  params.codec = Codec::zstd;
  params.level = preset == Preset::balanced ? 3 : 9;
  return params;
}

// Strings and structures: fields and padding compress by matches.
CodecParams records(Preset preset) {
  CodecParams params;
  params.codec = Codec::zstd;
  params.level = preset == Preset::small ? 9 : 3;
  return params;
}

}  // namespace

CodecParams preset_params(Preset preset, std::int64_t itemsize, bool floating_point) {
  const bool number =
      itemsize == 2 || itemsize == 4 || itemsize == 8 || (itemsize == 16 && floating_point);
  CodecParams params = number          ? numbers(preset, itemsize)
                       : itemsize == 1 ? bytes(preset)
                                       : records(preset);
  // c-blosc2 itself puts its default filter into the last slot.
  if (itemsize > 1 && itemsize <= 255) {
    params.filters[5] = static_cast<std::uint8_t>(Filter::shuffle);
  }
  return params;
}

CodecParams default_params(std::int64_t itemsize, bool floating_point) {
  return preset_params(Preset::fast, itemsize, floating_point);
}

CodecParams as_preset(CodecParams params, std::int64_t itemsize, bool floating_point) {
  for (const Preset preset : {Preset::fast, Preset::balanced, Preset::small}) {
    const CodecParams known = preset_params(preset, itemsize, floating_point);
    params.adaptive = known.adaptive;
    if (params == known) return params;
  }
  params.adaptive = false;
  return params;
}

void check_params(const CodecParams& params) {
  if (params.level < 0 || params.level > 9) {
    throw Error(ErrorKind::invalid_value, "compression level " + std::to_string(params.level) +
                                              ": allowed are 0 (store) to 9");
  }
  switch (params.codec) {
    case Codec::blosclz:
    case Codec::lz4:
    case Codec::lz4hc:
    case Codec::zlib:
    case Codec::zstd:
      break;
    default:
      throw Error(ErrorKind::invalid_value,
                  "codec number " + std::to_string(static_cast<int>(params.codec)) +
                      ": allowed are BLOSCLZ (0), LZ4 (1), LZ4HC (2), ZLIB (4) and ZSTD (5)");
  }
  int used = 0;
  for (const std::uint8_t code : params.filters) {
    used += static_cast<Filter>(code) != Filter::none ? 1 : 0;
    switch (static_cast<Filter>(code)) {
      case Filter::none:
      case Filter::shuffle:
      case Filter::bitshuffle:
      case Filter::trunc_prec:
      case Filter::bytedelta:
      case Filter::int_trunc:
        continue;
      case Filter::delta:
        // Other readers return wrong voxels for a slice of a delta chunk, without an error.
        break;
    }
    throw Error(
        ErrorKind::invalid_value,
        "filter number " + std::to_string(code) +
            " cannot be written: allowed are NOFILTER (0), SHUFFLE (1), BITSHUFFLE (2), "
            "TRUNC_PREC (4), BYTEDELTA (35) and INT_TRUNC (36)");
  }
  // c-blosc2 stores other voxels with three or more: docs/upstream.md.
  if (used > kMaxFilters) {
    throw Error(ErrorKind::invalid_value,
                std::to_string(used) + " filters cannot be written: c-blosc2 loses voxels with " +
                    "more than " + std::to_string(kMaxFilters) + "; give at most " +
                    std::to_string(kMaxFilters));
  }
}

}  // namespace mlarray::codec
