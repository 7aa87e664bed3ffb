// Edits, commits and compaction of files in which something is damaged already.
#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <memory>
#include <string>

#include "codec/chunk_format.hpp"
#include "mlarray/verify.hpp"
#include "session/state_of.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::read;
using test::read_all;
using test::state_of;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::write;

// 13 chunks of 1024 blocks, whose sums are in 4 pages, of which the second is damaged.
struct DamagedPage {
  TempDir dir;
  std::filesystem::path path = dir / "a.mla";
  Voxels voxels{{13, 32, 128}};

  DamagedPage() {
    Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({1, 32, 128}, {1, 1, 4}));
    const session::Snapshot state = state_of(io::open_buffered(path));
    const store::PageList* pages = state.chunks->index().table().pages();
    if (pages == nullptr || pages->pages.size() != 4) throw std::runtime_error("no 4 pages");
    std::string bytes = test::read_text(path);
    bytes[static_cast<std::size_t>(pages->pages[1].offset) + 5000] ^= 1;
    test::write_text(path, bytes);
  }
  static Box chunks(std::int64_t first, std::int64_t stop) {
    return {{first, 0, 0}, {stop, 32, 128}};
  }
  static std::vector<std::int16_t> values(std::int64_t chunks, std::int16_t value) {
    return std::vector<std::int16_t>(static_cast<std::size_t>(chunks) * 32 * 128, value);
  }
};

// Its commit would have to say something about the other chunks of the page, and fail: with it
// all that was edited elsewhere would be lost.
TEST(DamagedPageOfSums, AnEditOfItIsRefusedAndOthersAreCommitted) {
  DamagedPage file;
  Array array = Array::open(file.path, {.mode = Mode::read_write});
  write(array, DamagedPage::chunks(0, 1), DamagedPage::values(1, 7));
  const auto size = array.file_bytes();
  EXPECT_ERROR(write(array, DamagedPage::chunks(5, 6), DamagedPage::values(1, 8)),
               ErrorKind::corruption, "page 1 of the checksums", "salvage");
  EXPECT_ERROR(write(array, {{5, 3, 3}, {6, 4, 5}}, {1, 2}), ErrorKind::corruption,
               "page 1 of the checksums");
  EXPECT_EQ(array.file_bytes(), size);
  write(array, DamagedPage::chunks(9, 10), DamagedPage::values(1, 9));
  array.close();
  const Array again = Array::open(file.path);
  EXPECT_EQ(read(again, DamagedPage::chunks(0, 1)), DamagedPage::values(1, 7));
  EXPECT_EQ(read(again, DamagedPage::chunks(9, 10)), DamagedPage::values(1, 9));
  EXPECT_EQ(read_all(Array::open(file.path, {.verify = false}))[5 * 32 * 128],
            file.voxels.data[5 * 32 * 128]);
  EXPECT_EQ(again.verify().damaged_blocks, 4 * 1024);
}

// What nothing of the page is needed for mends it.
TEST(DamagedPageOfSums, IsMendedByWritingAllOfItsChunks) {
  DamagedPage file;
  Array array = Array::open(file.path, {.mode = Mode::read_write});
  write(array, DamagedPage::chunks(3, 9), DamagedPage::values(6, 7));
  array.close();
  EXPECT_TRUE(verify_file(file.path).verified());
}

TEST(DamagedPageOfSums, DoesNotKeepMetadataFromBeingEdited) {
  DamagedPage file;
  Array array = Array::open(file.path, {.mode = Mode::read_write});
  array.set_metadata(test::with_text("new"));
  array.close();
  EXPECT_EQ(Array::open(file.path).metadata().get("extra", "extra"),
            test::with_text("new").get("extra", "extra"));
}

TEST(DamagedPageOfSums, InMemoryIsNoMatterForAWholeChunk) {
  DamagedPage file;
  Array array = Array::open(file.path, {.mode = Mode::copy_on_write});
  write(array, DamagedPage::chunks(5, 6), DamagedPage::values(1, 8));
  EXPECT_EQ(read(array, DamagedPage::chunks(5, 6)), DamagedPage::values(1, 8));
}

// An open file hashes a block once. What is then written again under a new checksum is hashed
// again: in between, the disk or somebody else may have changed it.
TEST(DamagedSinceItWasRead, IsNotMadeToLookRight) {
  for (const bool stored_chunks : {true, false}) {
    const TempDir dir;
    const auto path = dir / "a.mla";
    const Voxels voxels({12, 64, 128});
    SaveOptions options = with_layout({1, 64, 128}, {1, 16, 128});
    if (stored_chunks) options.codec = CodecParams{.level = 0};
    Array::save_voxels(path, voxels.view(), int16(), {}, options);
    for (const Access access : {Access::mapped, Access::buffered}) {
      Array array = Array::open(path, {.mode = Mode::read_write, .access = access});
      ASSERT_EQ(read_all(array), voxels.data);
      const store::ChunkRef chunk = state_of(io::open_buffered(path)).chunks->get(2);
      const std::string good = test::read_text(path);
      const auto change = [&](char bits) {
        const auto at = static_cast<std::size_t>(chunk.offset + chunk.length - 20);
        std::fstream(path, std::ios::binary | std::ios::in | std::ios::out)
            .seekp(static_cast<std::streamoff>(at))
            .put(static_cast<char>(good[at] ^ bits));
      };
      change(1);
      // Most of the chunk, so that it is encoded as a whole, and a part of it.
      for (const std::int64_t rows : {63, 3}) {
        const Box part{{2, 0, 0}, {3, rows, 128}};
        EXPECT_ERROR(write(array, part, voxels.cut(part)), ErrorKind::corruption, "chunk 2");
      }
      EXPECT_ERROR(array.save(dir / "b.mla"), ErrorKind::corruption, "chunk 2");
      EXPECT_ERROR(array.save(path), ErrorKind::corruption, "chunk 2");
      change(0);
      array.close();
      EXPECT_EQ(read_all(Array::open(path)), voxels.data);
    }
  }
}

// To copy what is damaged may lose what salvage could still mend: here a chunk that says it is
// shorter than it is.
TEST(DamagedChunk, IsNotCopiedByCompaction) {
  const TempDir dir;
  const auto path = dir / "a.mla";
  const Voxels voxels({12, 64, 128});
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({1, 64, 128}, {1, 16, 128}));
  const session::Snapshot before = state_of(io::open_buffered(path));
  const auto at = static_cast<std::size_t>(before.chunks->get(2).offset);
  std::string bytes = test::read_text(path);
  const std::string chunk =
      bytes.substr(at, static_cast<std::size_t>(before.chunks->get(2).length));
  const auto length = static_cast<std::uint32_t>(before.chunks->get(2).length);
  codec::store_i32(std::as_writable_bytes(std::span(bytes)), at + codec::at::kCbytes,
                   static_cast<std::int32_t>(length - std::bit_floor(length)));  // one bit
  test::write_text(path, bytes);
  {
    Array array = Array::open(path, {.mode = Mode::read_write});
    for (int i = 0; i < 40; ++i) {
      const Box box{{4, 0, 0}, {12, 64, 128}};
      write(array, box, Voxels({8, 64, 128}, static_cast<unsigned>(i)).data);
      array.flush();
    }
    array.close();
  }
  const std::string found = test::read_text(path);
  const std::size_t place = found.find(chunk.substr(codec::at::kCbytes + 4));
  EXPECT_NE(place, std::string::npos) << "a part of the chunk is gone";
  EXPECT_EQ(verify_file(path).damaged_blocks, 4);
}

}  // namespace
}  // namespace mlarray
