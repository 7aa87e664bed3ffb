// A file with several commits, of each of which the voxels are known, and ways to damage it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "mlarray/array.hpp"
#include "mlarray/metadata.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray::test {

using FileBytes = std::vector<char>;

inline FileBytes load_bytes(const std::filesystem::path& path) {
  return read_bytes<FileBytes>(path);
}
inline void store_bytes(const std::filesystem::path& path, const FileBytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

struct Commit {
  std::size_t begin = 0;  // of its index
  std::size_t trailer = 0;
  std::size_t end = 0;
  std::vector<std::int16_t> voxels;
};

struct History {
  TempDir dir;
  std::filesystem::path path = dir.path() / "a.mla";
  Voxels voxels{{40, 36, 33}};
  std::vector<Commit> commits;
  FileBytes bytes;
  std::size_t header_len = 0;

  // Some chunks are zeros, at first and after edits.
  explicit History(int edits,
                   const SaveOptions& options = with_layout({16, 16, 16}, {8, 8, 16}),
                   unsigned seed = 5) {
    std::mt19937 random(seed);
    voxels.put({{0, 16, 16}, {16, 32, 32}}, std::vector<std::int16_t>(16 * 16 * 16, 0));
    Metadata metadata;
    metadata.set("spatial", "spacing", List{{1.5, 2.0, 3.0}});
    Array::save_voxels(path, voxels.view(), int16(), metadata, options);
    note();
    Array array = Array::open(path, {.mode = Mode::read_write});
    for (int i = 0; i < edits; ++i) {
      Box box = random_box(voxels.shape, random);
      if (i % 4 == 3) box = {{16, 0, 0}, {32, 16, 16}};
      if (box.empty()) box = voxels.whole();
      const auto count = static_cast<std::size_t>(element_count(box.shape()));
      std::vector<std::int16_t> values(count);
      for (std::int16_t& value : values) {
        value = i % 4 == 3
                    ? std::int16_t{0}
                    : static_cast<std::int16_t>(static_cast<int>(random() % 50) + 1000 * i);
      }
      voxels.put(box, values);
      write(array, box, values);
      array.flush();
      note();
    }
  }

  // The commit whose index and trailer are there, or nearly, where bytes were cut out.
  const Commit* commit_at(std::uint64_t offset) const {
    const Commit* nearest = nullptr;
    std::size_t best = 700;
    for (const Commit& commit : commits) {
      const auto place = static_cast<std::size_t>(offset);
      const std::size_t away = place < commit.begin  ? commit.begin - place
                               : place >= commit.end ? place - commit.end + 1
                                                     : 0;
      if (away < best) {
        best = away;
        nearest = &commit;
      }
    }
    return nearest;
  }

 private:
  void note() {
    bytes = load_bytes(path);
    const auto span = std::as_bytes(std::span(bytes));
    Commit commit;
    header_len = frame::load_big<std::uint32_t>(span, frame::kHeaderLenAt);
    commit.end = frame::load_big<std::uint64_t>(span, frame::kFrameLenAt);
    commit.begin = header_len + frame::load_big<std::uint64_t>(span, frame::kCbytesAt);
    commit.trailer = commit.end - frame::load_big<std::uint32_t>(span, commit.end - 22);
    commit.voxels = voxels.data;
    commits.push_back(std::move(commit));
  }
};

}  // namespace mlarray::test
