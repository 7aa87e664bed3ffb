// A folder of its own for a test, removed with everything in it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mlarray::test {

class TempDir {
 public:
  TempDir() {
    std::random_device random;
    const std::filesystem::path base = std::filesystem::temp_directory_path();
    do {
      path_ = base / ("mlarray-test-" + std::to_string(random()));
    } while (!std::filesystem::create_directory(path_));
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  // The names in the folder, hidden ones included, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path path_;
};

// All bytes of a file, as std::string, std::vector<char> or std::vector<std::byte>. In one
// read: by an iterator of characters it was a quarter of what some tests took with sanitizers.
template <class Bytes>
Bytes read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  const std::streamoff size = in.tellg();
  Bytes bytes(static_cast<std::size_t>(size), typename Bytes::value_type{});
  in.seekg(0).read(reinterpret_cast<char*>(bytes.data()), size);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return bytes;
}

inline std::string read_text(const std::filesystem::path& path) {
  return read_bytes<std::string>(path);
}

// Creates or truncates; with `append` writes at the end.
inline void write_text(const std::filesystem::path& path, std::string_view text,
                       bool append = false) {
  std::ofstream out(path, append ? std::ios::binary | std::ios::app : std::ios::binary);
  out << text << std::flush;
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace mlarray::test
