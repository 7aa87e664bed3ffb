// Options of every call that opens, creates or saves an array. Plain structs.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/layout.hpp"
#include "mlarray/metadata.hpp"
#include "mlarray/types.hpp"

namespace mlarray {

// How a path is opened.
enum class Mode {
  read,           // "r": edits are errors
  read_write,     // "r+": edits reach the file at the next commit
  copy_on_write,  // "c": edits stay in memory
};

enum class Access {
  mapped,    // memory map: fastest for patches; positional reads where none can be made
  buffered,  // positional reads: for file systems where maps are slow
};

// What a power cut or a crash of the system may do to what was written. Against the death of
// the process alone, every level is safe. Their cost: docs/crash_safety.md.
enum class CommitLevel {
  none,     // the file may be lost: the system writes when and in which order it likes
  ordered,  // the file is the old state or the new one, whole
  durable,  // and when the call returns, it is the new one
};

enum class Codec : std::uint8_t { blosclz = 0, lz4 = 1, lz4hc = 2, zlib = 4, zstd = 5 };

// Filter codes of the Blosc2 format. On disk: do not change.
enum class Filter : std::uint8_t {
  none = 0,
  shuffle = 1,
  bitshuffle = 2,
  delta = 3,
  trunc_prec = 4,
  bytedelta = 35,
  int_trunc = 36,
};

// What the library aims for where the caller names no codec. Every preset is lossless.
enum class Preset {
  fast,      // patches read and files saved as fast as possible, at the size of LZ4HC
  balanced,  // smaller where that costs little: a byte plane is packed if a third goes; whole
             // numbers, instead of their planes, if that saves a quarter
  small,     // few bytes first: archives, slow disks, networks
};

// These by their words, as the Python package and the command line take them, in upper or lower
// case: codec_from("zstd") is Codec::zstd. Filter::none is "nofilter", as in Blosc2.
// Errors: invalid_value naming the word and all known ones.
MLARRAY_EXPORT CommitLevel commit_level_from(std::string_view word);
MLARRAY_EXPORT Codec codec_from(std::string_view word);
MLARRAY_EXPORT Filter filter_from(std::string_view word);
MLARRAY_EXPORT Preset preset_from(std::string_view word);
// The word of a value; its number where it has none, as that of a foreign file's codec.
MLARRAY_EXPORT std::string to_string(CommitLevel level);
MLARRAY_EXPORT std::string to_string(Codec codec);
MLARRAY_EXPORT std::string to_string(Filter filter);
MLARRAY_EXPORT std::string to_string(Preset preset);
// All values, for menus and help texts.
MLARRAY_EXPORT std::span<const CommitLevel> commit_levels() noexcept;
MLARRAY_EXPORT std::span<const Codec> codecs() noexcept;
MLARRAY_EXPORT std::span<const Filter> filters() noexcept;
MLARRAY_EXPORT std::span<const Preset> presets() noexcept;

// How voxels are compressed. Left empty, the library chooses by preset and element type.
struct MLARRAY_EXPORT CodecParams {
  Codec codec = Codec::lz4hc;
  int level = 5;  // 0 (store) to 9
  // Six slots as in the file, applied first to last: codes of Filter, or those of a foreign
  // file, and what each filter is told (precision of trunc_prec, bits of int_trunc).
  std::array<std::uint8_t, 6> filters{};
  std::array<std::uint8_t, 6> filters_meta{};
  bool split = false;  // one stream per byte plane of a block
  // Decide for each byte plane of a block whether it is stored, a run, or compressed, and how
  // hard, up to `level`: whichever pays. For LZ4, LZ4HC and ZSTD; without effect on others.
  bool adaptive = false;

  // Puts `these`, first to last, into the last of the six slots, where Blosc2 has them, and
  // clears filters_meta. Errors: invalid_value for more than six.
  void set_filters(std::initializer_list<Filter> these);
  // Those of the six slots that are not Filter::none, first to last.
  std::vector<Filter> used_filters() const;

  friend bool operator==(const CodecParams&, const CodecParams&) = default;
};

// What a preset means for elements of this type: a place to start from.
//   auto params = codec_for(Preset::small, dtype);
//   params.level = 9;
MLARRAY_EXPORT CodecParams codec_for(Preset preset, const DType& dtype);
// `params` as they are written for elements of this type: a precision below 0, which counts
// bits to drop, becomes the bits to keep. Every call that writes does this by itself.
// Errors: invalid_value for a level, codec or filter that is not written, naming what is; for
// more than two filters; for filters that would destroy such elements.
MLARRAY_EXPORT CodecParams codec_for(const CodecParams& params, const DType& dtype);

// Which generation of readers must be able to read the metadata that is written.
enum class MetadataEncoding {
  current,  // readers of 0.0.49 and later
  legacy,   // msgpack, for readers up to 0.0.48
};

struct OpenOptions {
  Mode mode = Mode::read;
  Access access = Access::mapped;
  int threads = 0;  // at most this many for one call; 0: the process-wide number
  // Verify the seal, and every block's checksum before the block is first decoded. Empty: as
  // set_verification() says. In mode read_write the seal is verified always, and
  // so is what an edit keeps of a chunk.
  std::optional<bool> verify = {};
  // Of every commit that is not given one: flush(), close(), by CommitBudget, and when its path
  // is opened again in this process.
  CommitLevel level = CommitLevel::ordered;
};

// Array::save takes these, too, not what its file has: for that, set `layout` to
// layout_of(image) (repack.hpp) and `codec` to image.codec().
struct SaveOptions {
  LayoutRequest layout = {};
  std::optional<CodecParams> codec = {};  // wins over `preset`
  Preset preset = Preset::fast;
  MetadataEncoding metadata_encoding = MetadataEncoding::current;
  bool store_metadata = true;      // false: a plain b2nd file without metadata
  int threads = 0;                 // at most this many; 0: the process-wide number
  Access access = Access::mapped;  // how the new file is read: by `verify`, by Array::create
  CommitLevel level = CommitLevel::ordered;  // Array::create: also as OpenOptions::level
  // Read the new file back before it takes its place: every voxel and all metadata must be
  // what was to be saved. If not, an error (corruption), and the old file stays.
  bool verify = false;
};

// When a writer commits by itself, besides flush(), close() and normal exit.
struct CommitBudget {
  std::int64_t bytes = std::int64_t{64} << 20;  // appended since the last commit
  double seconds = 5.0;  // since the last commit, looked at on each write
};

}  // namespace mlarray
