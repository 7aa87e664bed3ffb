// Bytes that wait on the disk: pieces of a temporary file. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "io/byte_source.hpp"
#include "io/file.hpp"

namespace mlarray::training {

// The file is made when there is something to write, and is gone with this. Not synchronised.
class SpillFile {
 public:
  // Beside `path`, with a name of its own.
  explicit SpillFile(const std::filesystem::path& path);

  // Writes a piece, and says where. Errors: io.
  std::uint64_t put(std::span<const std::byte> bytes);
  // Reads a piece, whose place is free then. Errors: io, corruption.
  void take(std::uint64_t place, std::span<std::byte> to);

 private:
  std::filesystem::path target_;
  std::optional<io::AtomicFile> file_;
  std::unique_ptr<io::ByteSource> source_;
  std::map<std::size_t, std::vector<std::uint64_t>> free_;  // by size
  std::uint64_t end_ = 0;
};

}  // namespace mlarray::training
