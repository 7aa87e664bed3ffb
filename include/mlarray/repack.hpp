// A file written anew with another layout or compression, and nothing else changed.
//
//   mlarray::repack("ct.mla", {.preset = mlarray::Preset::small});
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "mlarray/array.hpp"
#include "mlarray/export.hpp"
#include "mlarray/layout.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"

namespace mlarray {

struct RepackOptions {
  std::optional<LayoutRequest> layout = {};  // empty: layout_of() the file
  std::optional<CodecParams> codec = {};     // wins over `preset`
  Preset preset = Preset::fast;
  int threads = 0;                           // 0: the process-wide number
  CommitLevel level = CommitLevel::ordered;  // as SaveOptions::level
};

struct RepackReport {
  std::int64_t bytes_before = 0;
  std::int64_t bytes_after = 0;
  Shape chunk_shape;  // of the new file
  Shape block_shape;
};

// Writes `path` anew in its place: the same voxels and metadata. The new file is written beside
// the old one, chunk by chunk, so that some chunks for each thread are in memory at once. It is
// read back and compared, all voxels and all metadata, and only then renamed over the old file,
// which stays on every error. No other process can write the file meanwhile.
// Errors: as Array::open in mode read_write (an older writer of this process is committed and
// detached) and Array::save; invalid_use for a name that does not end in .mla: a .b2nd may hold
// what is not kept.
MLARRAY_EXPORT RepackReport repack(const std::filesystem::path& path,
                                   const RepackOptions& options = {});
// The same to another path, of any name. `path` is only read.
MLARRAY_EXPORT RepackReport repack_to(const std::filesystem::path& path,
                                      const std::filesystem::path& target,
                                      const RepackOptions& options = {});

// How an image is cut: for the patch that it was made for, or if it names none, into the chunks
// and blocks that it has. Errors: closed, io.
MLARRAY_EXPORT LayoutRequest layout_of(const Array& image);

}  // namespace mlarray
