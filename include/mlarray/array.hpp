// Array: one .mla file, or the same thing in memory. Start here.
//
//   auto image = mlarray::Array::open("ct.mla");
//   const auto patch = image.read<std::int16_t>({{0, 0, 0}, {64, 64, 8}});
//
// Voxels are read and written as numbers of the array's type (a vector, a span, a C array), as
// bytes, or by a view with strides. Numbers and bytes lie in C order without gaps.
//
// Thread safety: any number of threads may read one Array, also while one thread writes it. One
// call of read or read_many sees all of each write() or nothing of it. Writes, metadata and
// close() are serialised. A file that others cut short or overwrite is an error of what reads
// it (corruption). A child may read after a fork, not write: docs/threads.md.
//
// Copies share one open file. The last one to go closes it: a writer commits, and an error is
// lost unless you call close() before. An Array that was moved from can only be assigned to.
// `threads` of a call: at most this many; below 1: what OpenOptions::threads says. After an
// error, a buffer holds anything. std::bad_alloc and what a ByteSource throws are passed on.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "mlarray/byte_source.hpp"
#include "mlarray/error.hpp"
#include "mlarray/export.hpp"
#include "mlarray/metadata.hpp"
#include "mlarray/options.hpp"
#include "mlarray/statistics.hpp"
#include "mlarray/types.hpp"
#include "mlarray/verify.hpp"

namespace mlarray {

class MLARRAY_EXPORT Array {
 public:
  // Opens an existing file. Errors: not_found; corruption (what is wrong, where, both lengths
  // if truncated); unsupported (another format, codec, object dtype, a .b2nd named .mla); busy
  // (another process writes it, for Mode::read_write); io. What another Array of this process
  // has written there is committed first. In Mode::read_write, create() and a save over the
  // path, that Array then only reads: its writes are invalid_use (process.hpp).
  static Array open(const std::filesystem::path& path, const OpenOptions& options = {});
  // The same of bytes elsewhere (mlarray/byte_source.hpp), for reading or edits in memory.
  static Array open(std::shared_ptr<ByteSource> source, const OpenOptions& options = {});

  // Creates or replaces `path` with zeros, committed at once, and opens it for writing.
  // Errors: as save.
  static Array create(const std::filesystem::path& path, const Shape& shape, const DType& dtype,
                      const Metadata& metadata = {}, const SaveOptions& options = {});

  // Reads the whole file into memory, still compressed. Edits stay there, whatever the mode.
  static Array load(const std::filesystem::path& path, const OpenOptions& options = {});

  // Compressed in memory. With `voxels` empty, all zeros.
  static Array in_memory(const Shape& shape, const DType& dtype,
                         const std::optional<ConstArrayView>& voxels = {},
                         const Metadata& metadata = {}, const SaveOptions& options = {});
  template <Element T>
  static Array in_memory(std::span<const T> voxels, const Shape& shape,
                         const Metadata& metadata = {}, const SaveOptions& options = {});
  static Array in_memory(const Elements auto& voxels, const Shape& shape,
                         const Metadata& metadata = {}, const SaveOptions& options = {});

  // Writes voxels to `path` by a sibling file and a rename, until which the old one is intact.
  // Errors: layout; invalid_value, invalid_type (metadata); not_found (parent folder);
  // busy (another process writes the target); unsupported; io.
  static void save_voxels(const std::filesystem::path& path, const ConstArrayView& voxels,
                          const DType& dtype, const Metadata& metadata = {},
                          const SaveOptions& options = {});
  // Errors: also invalid_value where the shape has another number of voxels.
  template <Element T>
  static void save_voxels(const std::filesystem::path& path, std::span<const T> voxels,
                          const Shape& shape, const Metadata& metadata = {},
                          const SaveOptions& options = {});
  static void save_voxels(const std::filesystem::path& path, const Elements auto& voxels,
                          const Shape& shape, const Metadata& metadata = {},
                          const SaveOptions& options = {});
  // The same of this array; `path` may be its file. `metadata` empty: this array's own.
  void save(const std::filesystem::path& path, const SaveOptions& options = {},
            const std::optional<Metadata>& metadata = {}) const;

  // Known also after close().
  Shape shape() const;
  DType dtype() const;
  Shape chunk_shape() const;
  Shape block_shape() const;
  CodecParams codec() const;  // as the file's header states it
  std::string path() const;   // empty in memory
  Seal seal() const;          // as found when opened
  // Names the commit shown: the same name, the same voxels and metadata, as sure as checksums
  // are. Empty unless open in Mode::read, verified, all chunks by this library. Errors: closed.
  std::string commit_name() const;
  std::int64_t file_bytes() const;  // of the last committed state; 0 in memory
  bool writable() const;
  bool closed() const;
  std::int64_t compressed_bytes() const;  // of the voxels; looks at every chunk

  // The voxels of `box`. An array of bool is read as std::uint8_t, too: 0 and 1.
  // Errors: invalid_type where the array's elements are no Ts; out_of_bounds; invalid_value for
  // a box or `out` of another size; corruption, io, closed.
  template <Element T>
    requires(!std::same_as<T, bool>)  // std::vector<bool> holds no bools
  std::vector<T> read(const Box& box, int threads = 0) const;
  template <Element T>
  void read(const Box& box, std::span<T> out, int threads = 0) const;
  void read(const Box& box, WritableElements auto&& out, int threads = 0) const;
  void read(const Box& box, std::span<std::byte> out, int threads = 0) const;
  void read(const Box& box, const ArrayView& out, int threads = 0) const;

  // The voxels of a box that may reach beyond the array, or lie outside of it: `fill` is put
  // where there are none. Errors: as read; out_of_bounds only for a box beyond 2^62.
  template <Element T>
    requires(!std::same_as<T, bool>)
  std::vector<T> read_padded(const Box& box, std::type_identity_t<T> fill = {},
                             int threads = 0) const;
  template <Element T>
  void read_padded(const Box& box, std::span<T> out, std::type_identity_t<T> fill = {},
                   int threads = 0) const;
  void read_padded(const Box& box, WritableElements auto&& out,
                   ElementOf<decltype(out)> fill = {}, int threads = 0) const;
  // `fill`: the bytes of one voxel; empty: zeros.
  void read_padded(const Box& box, const ArrayView& out, std::span<const std::byte> fill = {},
                   int threads = 0) const;

  // The voxels of many boxes, of any sizes, into `out` one box after the other: for boxes of
  // one shape, a batch with a first axis of boxes.size(). Their blocks are one list for all
  // threads. Errors: as read, also for another number of voxels.
  template <Element T>
  void read_many(std::span<const Box> boxes, std::span<T> out, int threads = 0) const;
  void read_many(std::span<const Box> boxes, WritableElements auto&& out,
                 int threads = 0) const;
  // One view for each box.
  void read_many(std::span<const Box> boxes, std::span<const ArrayView> out,
                 int threads = 0) const;
  // The same of boxes that may reach beyond the array. Errors: as read_padded and read_many.
  void read_many_padded(std::span<const Box> boxes, WritableElements auto&& out,
                        ElementOf<decltype(out)> fill = {}, int threads = 0) const;
  void read_many_padded(std::span<const Box> boxes, std::span<const ArrayView> out,
                        std::span<const std::byte> fill = {}, int threads = 0) const;

  // Replaces the voxels of `box`. Errors: as read, and read_only.
  template <Element T>
  void write(const Box& box, std::span<const T> voxels, int threads = 0);
  void write(const Box& box, const Elements auto& voxels, int threads = 0);
  void write(const Box& box, std::span<const std::byte> voxels, int threads = 0);
  void write(const Box& box, const ConstArrayView& voxels, int threads = 0);

  // Parsed on first use. Errors: corruption, unsupported, naming the key; voxels stay readable.
  Metadata metadata() const;
  // Stored at the next commit (in mode copy_on_write: in memory).
  void set_metadata(const Metadata& metadata);

  // Commits every edit so far, at the level that the array was opened with, or at `level`, to
  // which earlier commits are raised. No-op for an array that is open for reading or in memory.
  // Errors: io. After it, edits and close() throw it again, reading goes on, and the file keeps
  // its last commit.
  void flush();
  void flush(CommitLevel level);
  // flush(), compacts a file with much dead space, and closes every copy; a second call does
  // nothing. Errors: as flush, and the array is closed all the same.
  void close();

  // Decodes every chunk and block. Damage is in the report, and no error. Errors: closed.
  VerifyReport verify(const VerifyOptions& options = {}) const;

  // In parallel, never with all voxels in memory. Errors: mlarray/statistics.hpp.
  Statistics statistics(const StatisticsOptions& options = {}) const;
  // The same of voxels of the caller's.
  static Statistics statistics(const ConstArrayView& voxels, const DType& dtype,
                               const StatisticsOptions& options = {});

  // Shows the newest commit of the path from now on, also where the file was replaced: for
  // readers of a file that another process writes. Every call sees one commit or the other.
  // False if nothing has changed (unsealed files, see seal(), are read anew always), in memory,
  // of a ByteSource, and for a writer. Errors: as open, and the array stays as it is; closed;
  // invalid_use for edits in memory (copy_on_write), and where shape or type have changed.
  bool refresh();
  // The same in an array of its own; nothing if this one shows the newest commit.
  std::optional<Array> newer() const;

  void set_commit_budget(const CommitBudget& budget);
  class Impl;     // of the library's own,
  struct Inside;  // and how its other layers come to it

 private:
  struct Typed;  // what the templates call: array_inline.hpp
  explicit Array(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace mlarray

#include "mlarray/array_inline.hpp"  // the members above that are templates
