// The state behind an Array, and the registry of the writers of this process.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "array/chunk_store.hpp"
#include "array/geometry.hpp"
#include "array/writer.hpp"
#include "frame/frame.hpp"
#include "mlarray/array.hpp"

namespace mlarray {

// What readers need; replaced as a whole, never changed (the store changes inside, locked).
struct Content {
  array::Geometry geometry;
  DType dtype;
  CodecParams codec;  // as the header states it
  Seal seal = Seal::absent;
  std::shared_ptr<array::ChunkStore> store;
};

// The variable-length metalayers of a file, but the checksums: kept byte for byte as stored
// until one is replaced.
class StoredLayers {
 public:
  StoredLayers() = default;
  explicit StoredLayers(std::vector<frame::VlMetalayer> layers);

  const frame::VlMetalayer* find(std::string_view name) const;
  void set(std::string_view name, std::vector<std::byte> chunk);
  const std::vector<frame::VlMetalayer>& all() const { return layers_; }

  // The metadata, empty if the file has none. Errors: corruption, unsupported.
  // `ndim`: the array's number of axes.
  Metadata metadata(std::size_t ndim) const;
  // The value of the layer "mlarray" as it is stored; empty if the file has none.
  std::vector<std::byte> stored_metadata() const;

 private:
  std::vector<frame::VlMetalayer> layers_;
};

inline constexpr std::string_view kMetadataLayer = "mlarray";

class Array::Impl {
 public:
  ~Impl();

  // All of these hold an OperationGuard already.
  std::shared_ptr<const Content> content() const;       // also after close
  std::shared_ptr<const Content> open_content() const;  // Errors: invalid_use after close
  // Both of one commit. Errors: as open_content.
  std::pair<std::shared_ptr<const Content>, StoredLayers> open_state() const;
  void write(const Box& box, const ConstArrayView& voxels, int threads);
  void flush(bool durable);
  void close();
  // Commits, then gives the file up: later writes are errors. For a second writer.
  void detach();
  void after_fork() noexcept;

  std::string path;           // empty in memory
  std::string file_path;      // `path` with symbolic links resolved: the file itself
  std::string absolute_path;  // `path`, wherever the process goes
  Mode mode = Mode::read;
  int threads = 0;
  std::optional<bool> verify;  // as it was opened; empty: the process-wide choice
  CommitBudget budget;
  CodecParams write_codec;
  Access access = Access::mapped;
  std::mutex refresh_mutex;  // so that no refresh takes back what a later one has seen
  mutable std::recursive_mutex write_mutex;
  StoredLayers layers;                    // under write_mutex
  bool layers_dirty = false;              // under write_mutex: differ from the file's
  bool edited = false;                    // under write_mutex: since it was opened
  std::unique_ptr<array::Writer> writer;  // under write_mutex
  std::uint64_t generation = 0;           // of the process that opened it

  // Errors: invalid_value (mode read), invalid_use (detached, or of another process).
  void check_writable() const;
  // Does a block's checksum have to be right for the block to be decoded?
  bool verifies() const;
  void set_content(std::shared_ptr<const Content> content);
  // May the file have a commit that this object does not show? Under write_mutex.
  // Errors: invalid_use for edits in memory.
  bool follows_file() const;
  // Shows what `other`, which nobody else has, shows.
  void take_over(Impl& other);
  // Takes over a file that is open and locked, with the state that it holds.
  void adopt(io::WritableFile file, std::shared_ptr<io::ByteSource> source, frame::State state);

  std::atomic<bool> closed{false};
  std::atomic<bool> detached{false};
  std::atomic<std::uint64_t> committed_bytes{0};  // length of the file's last committed state

 private:
  // The metalayers of a state to be written, the checksums included.
  std::vector<frame::VlMetalayer> all_layers(const Content& content) const;
  void commit(bool durable);
  void compact();

  mutable std::mutex content_mutex_;
  std::shared_ptr<const Content> content_;
};

namespace array {

// The live writers of this process. Thread safe.
class WriterRegistry {
 public:
  static WriterRegistry& instance();

  void add(const std::shared_ptr<Array::Impl>& writer);
  // The open writer of a file other than `except`, or nullptr.
  std::shared_ptr<Array::Impl> find(const std::filesystem::path& path,
                                    const Array::Impl* except = nullptr);
  // Commits and detaches the writer of `path`, if there is one, and notes the path.
  void supersede(const std::filesystem::path& path, const Array::Impl* except = nullptr);
  std::vector<std::string> take_notice();
  std::vector<std::shared_ptr<Array::Impl>> all();

 private:
  WriterRegistry();
  static void after_fork();

  std::mutex mutex_;
  std::vector<std::weak_ptr<Array::Impl>> writers_;
  std::vector<std::string> notice_;
};

// CodecParams <-> the fields of a frame header.
CodecParams codec_of_header(const frame::Header& header);
void put_codec(frame::Header& header, const CodecParams& codec);

// The header of a new file; header_bytes is filled, lengths are not final.
frame::Header new_header(const Geometry& geometry, const DType& dtype, const CodecParams& codec,
                         std::vector<std::byte>& header_bytes);

// What a committed state holds. Errors: corruption, unsupported.
Content content_of(const frame::State& state, std::shared_ptr<io::ByteSource> source);

// The layer "mlarray" for an array. Errors: unsupported, naming the field.
struct MetadataLayerOptions {
  std::vector<std::int64_t> patch;  // what the layout was made for
  bool has_array = true;
  MetadataEncoding encoding = MetadataEncoding::current;
  // The value that is replaced, whose encoding is kept where nothing is lost by it.
  std::optional<std::vector<std::byte>> replaces = {};
};
std::vector<std::byte> build_metadata_layer(const Metadata& metadata, const Geometry& geometry,
                                            const CodecParams& codec,
                                            const MetadataLayerOptions& options);

}  // namespace array
}  // namespace mlarray
