// The choice and the checking of compression parameters.
#include <string>

#include "codec/encoder.hpp"
#include "mlarray/error.hpp"

namespace mlarray::codec {

// Measured on one thread against the reference's default (LZ4HC level 8, shuffle, not split),
// blocks of 25 KiB as its layout gives them, 12 chunks of each volume; the volumes come from
// the MNI152 T1 of nilearn zoomed to 224x256x224. Uncompressed MB/s; "decode" is our Decoder,
// for the reference c-blosc2's getitem.
//
//   volume                 reference: ratio, encode, decode   ours: size, encode, decode
//   int16, CT with noise   2.09    91    8800                 1.000   1.6x   1.17x
//   uint16, smooth MR      4.94   112   11800                 1.005   1.7x   1.01x
//   float16, z-score       2.08    80    9200                 1.001   1.7x   0.99x
//   int32                  3.94    97    9800                 1.008   1.8x   1.10x
//   float32, z-score       1.69   117    8400                 1.000   1.6x   1.09x
//   float32, smooth MR     6.79   289   18900                 1.007   1.8x   0.99x
//   float64, z-score       3.42   118    8800                 1.005   1.6x   1.03x
//   uint8 labels           43.6   141    1680                 0.695   7.6x   3.5x
//
// Level 5 is faster still, but writes up to 1.4 % more; ZSTD 1 saves 6 to 35 % of the bytes and
// decodes at a fifth of the speed; LZ4 (not HC) writes up to 6.7 % more. Split streams decode
// faster where a byte plane does not shrink (noise): it is then stored as it is. Labels are
// long runs, where a real entropy coder wins; shuffle means nothing for one byte.
CodecParams default_params(std::int64_t itemsize, bool floating_point) {
  CodecParams params;
  const bool number =
      itemsize == 2 || itemsize == 4 || itemsize == 8 || (itemsize == 16 && floating_point);
  if (number) {
    params.codec = Codec::lz4hc;
    params.level = 6;
    params.split = true;
  } else {
    // One byte; strings and structures, whose fields and padding compress by matches.
    params.codec = Codec::zstd;
    params.level = 3;
  }
  // c-blosc2 itself puts its default filter into the last slot.
  if (itemsize > 1 && itemsize <= 255) {
    params.filters[5] = static_cast<std::uint8_t>(Filter::shuffle);
  }
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
  for (const std::uint8_t code : params.filters) {
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
}

}  // namespace mlarray::codec
