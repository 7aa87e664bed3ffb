// Writing into a file that others may read: append, then flip (docs/format.md, "Commits").
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "frame/frame.hpp"
#include "io/file.hpp"
#include "mlarray/options.hpp"

namespace mlarray::array {

// Not synchronised: the array serialises its writers.
class Writer {
 public:
  // `file` is open and locked and holds the committed state that `header` describes.
  Writer(io::WritableFile file, frame::Header header, std::vector<std::byte> header_bytes);

  // Appends one encoded chunk past the committed end. An empty span is a chunk of zeros.
  // Nothing that a reader sees changes. Errors: io.
  frame::IndexEntry append(std::span<const std::byte> chunk);

  // Writes index and trailer after what was appended, then flips the header: before the flip
  // readers see the old state, after it the new one.
  // With `durable` the disk has the tail before the flip, and the flip before this returns.
  // `check` throws if the file or the metalayers are not what they were; it is called before
  // anything is written. Errors: io, what `check` throws; the old state is then intact.
  void commit(std::span<const frame::IndexEntry> index,
              std::span<const frame::VlMetalayer> vlmeta, bool durable,
              const std::function<void()>& check);

  bool dirty() const { return dirty_; }  // appended since the last commit
  bool due(const CommitBudget& budget) const;
  std::uint64_t committed_bytes() const { return header_.frame_len; }
  std::uint64_t header_len() const { return header_.header_len; }
  // Where the committed index starts; index and trailer reach to committed_bytes().
  std::int64_t index_position() const {
    return static_cast<std::int64_t>(header_.header_len) + header_.cbytes;
  }
  const frame::Header& header() const { return header_; }
  const std::vector<std::byte>& header_bytes() const { return header_bytes_; }
  bool ever_committed() const { return ever_committed_; }
  io::FileId id() const { return file_.id(); }
  void abandon() noexcept { file_.abandon(); }

 private:
  io::WritableFile file_;
  frame::Header header_;
  std::vector<std::byte> header_bytes_;
  std::uint64_t end_;  // where the next chunk goes
  std::chrono::steady_clock::time_point committed_at_;
  bool dirty_ = false;
  bool ever_committed_ = false;
};

}  // namespace mlarray::array
