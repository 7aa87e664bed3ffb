// The choice and the checking of compression parameters.
#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "codec/encoder.hpp"
#include "mlarray/error.hpp"

namespace mlarray::codec {
namespace {

// c-blosc2 stores other voxels with three or more: docs/upstream.md.
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
      // more of the time than of four: level 1 instead of 3 saves int16 in 143 instead of
      // 159 ms, 0.3 % larger. On the CT volumes the file is then within 1 % of what LZ4HC's
      // level 8 makes, which takes four times as long.
      params.codec = Codec::lz4hc;
      params.level = itemsize == 2 ? 1 : 4;
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

// python-blosc2 reads a filter's number as a signed byte.
constexpr int kMostMeta = 127;

bool is_number(const DType& dtype, std::string_view kinds, std::int64_t least) {
  return !dtype.structured() && kinds.find(dtype.kind()) != std::string_view::npos &&
         !dtype.big_endian() && dtype.itemsize() >= least && dtype.itemsize() <= 8;
}

// How many bits of an element a filter can keep; 0 for elements that it would destroy.
int most_bits(Filter filter, const DType& dtype) {
  if (filter == Filter::int_trunc) {
    return is_number(dtype, "iu", 1) ? static_cast<int>(8 * dtype.itemsize()) : 0;
  }
  if (!is_number(dtype, "f", 4)) return 0;
  return dtype.itemsize() == 4 ? 23 : 52;  // of the mantissa
}

// What is wrong with a filter for elements of this type; empty if nothing. A precision below 0
// is replaced.
std::string fit(CodecParams& params, std::size_t slot, const DType& dtype) {
  const auto filter = static_cast<Filter>(params.filters[slot]);
  std::uint8_t& meta = params.filters_meta[slot];
  if (filter == Filter::trunc_prec || filter == Filter::int_trunc) {
    const bool floats = filter == Filter::trunc_prec;
    const std::string name = floats ? "TRUNC_PREC" : "INT_TRUNC";
    const int most = most_bits(filter, dtype);
    if (most == 0) {
      return "the filter " + name + " shortens little-endian " +
             (floats ? "floats of 4 and 8 bytes" : "integers") +
             " and would destroy elements of dtype " + dtype.text() +
             ": leave it out, or convert the array";
    }
    const auto before = std::span(params.filters).first(slot);
    if (std::any_of(before.begin(), before.end(), [](std::uint8_t f) { return f != 0; })) {
      return "the filter " + name +
             " comes behind another one, which has moved the bytes of the elements: put it "
             "first";
    }
    const int given = static_cast<std::int8_t>(meta);
    const int bits = given < 0 ? most + given : given;
    if (bits < 1 || bits > most) {
      return "filters_meta of " + name + " is " + std::to_string(given) +
             ": for elements of dtype " + dtype.text() + " give the bits to keep, 1 to " +
             std::to_string(most) + ", or how many to drop, -1 to -" + std::to_string(most - 1);
    }
    meta = static_cast<std::uint8_t>(bits);
    return {};
  }
  const bool delta = filter == Filter::bytedelta;
  const std::int64_t width = delta && meta == 0 ? dtype.itemsize() : std::int64_t{meta};
  if (filter != Filter::none && width > kMostMeta) {
    return "the filter " + std::to_string(params.filters[slot]) + " for elements of " +
           std::to_string(width) + " bytes: python-blosc2 opens no file with more than " +
           std::to_string(kMostMeta) + "; leave the filter out" +
           (delta ? ", or give its filters_meta" : "");
  }
  return {};
}

}  // namespace

CodecParams params_for(CodecParams params, const DType& dtype) {
  check_params(params);
  for (std::size_t slot = 0; slot < params.filters.size(); ++slot) {
    const std::string problem = fit(params, slot, dtype);
    if (!problem.empty()) throw Error(ErrorKind::invalid_value, problem);
  }
  return params;
}

bool shortens(const CodecParams& params) {
  return std::any_of(params.filters.begin(), params.filters.end(), [](std::uint8_t code) {
    const auto filter = static_cast<Filter>(code);
    return filter == Filter::trunc_prec || filter == Filter::int_trunc;
  });
}

CodecParams params_for_edits(CodecParams params, const DType& dtype) {
  int used = 0;
  for (std::size_t slot = 0; slot < params.filters.size(); ++slot) {
    const auto filter = static_cast<Filter>(params.filters[slot]);
    if (filter != Filter::delta && fit(params, slot, dtype).empty()) {
      used += filter != Filter::none ? 1 : 0;
      if (used <= kMaxFilters) continue;
    }
    params.filters[slot] = static_cast<std::uint8_t>(Filter::none);
    params.filters_meta[slot] = 0;
  }
  return params;
}

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

bool is_floating(const DType& dtype) { return dtype.kind() == 'f' || dtype.kind() == 'c'; }

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

CodecParams as_preset(CodecParams params, const DType& dtype) {
  return as_preset(std::move(params), dtype.itemsize(), is_floating(dtype));
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
  if (used > kMaxFilters) {
    throw Error(ErrorKind::invalid_value,
                std::to_string(used) +
                    " filters cannot be written: c-blosc2 loses voxels with " + "more than " +
                    std::to_string(kMaxFilters) + "; give at most " +
                    std::to_string(kMaxFilters));
  }
}

}  // namespace mlarray::codec

namespace mlarray {

CodecParams codec_for(Preset preset, const DType& dtype) {
  return codec::preset_params(preset, dtype.itemsize(), codec::is_floating(dtype));
}

CodecParams codec_for(const CodecParams& params, const DType& dtype) {
  return codec::params_for(params, dtype);
}

}  // namespace mlarray
