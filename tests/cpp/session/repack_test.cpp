// Files written anew, and files of metadata alone.
#include "mlarray/repack.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <vector>

#include "mlarray/metadata_only.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace mlarray {
namespace {

const Shape kSize{40, 50, 60};

std::vector<std::int16_t> steps() {
  std::vector<std::int16_t> voxels(static_cast<std::size_t>(element_count(kSize)));
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    voxels[i] = static_cast<std::int16_t>(i / 7 % 3000);
  }
  return voxels;
}

// An image that was made for patches of 16^3.
std::filesystem::path scan_in(const test::TempDir& folder, const char* name = "scan.mla") {
  const std::filesystem::path path = folder.path() / name;
  Metadata metadata;
  metadata.set_spacing({2, 1, 1});
  metadata.set("extra", "data", Map{{{"site", "A"}}});
  SaveOptions options;
  options.layout.patch = std::int64_t{16};
  Array::save_voxels<std::int16_t>(path, steps(), kSize, metadata, options);
  return path;
}

void expect_same_image(const std::filesystem::path& path) {
  const Array image = Array::open(path);
  EXPECT_EQ(image.read<std::int16_t>({{0, 0, 0}, kSize}), steps());
  EXPECT_EQ(image.metadata().spacing(), (std::vector<double>{2, 1, 1}));
  EXPECT_EQ(image.metadata().get("extra", "data"), Value(Map{{{"site", "A"}}}));
  EXPECT_TRUE(image.verify().verified());
}

TEST(Repack, SameImageInFewerBytes) {
  const test::TempDir folder;
  const auto path = scan_in(folder);
  const Shape chunk = Array::open(path).chunk_shape();
  const RepackReport report = repack(path, {.preset = Preset::small});
  EXPECT_LT(report.bytes_after, report.bytes_before);
  EXPECT_EQ(report.bytes_after, static_cast<std::int64_t>(std::filesystem::file_size(path)));
  EXPECT_EQ(report.chunk_shape, chunk) << "cut for the patch that it was made for";
  EXPECT_EQ(Array::open(path).codec().codec, Codec::zstd);
  expect_same_image(path);
}

TEST(Repack, AnotherLayout) {
  const test::TempDir folder;
  const auto path = scan_in(folder);
  RepackOptions options;
  options.layout = LayoutRequest{.patch = AutomaticLayout{},
                                 .chunk = Shape{10, 20, 30},
                                 .block = Shape{5, 10, 15},
                                 .spatial_axes = {}};
  EXPECT_EQ(repack(path, options).block_shape, (Shape{5, 10, 15}));
  expect_same_image(path);
  // No patch is known any more: chunks and blocks are kept.
  EXPECT_EQ(repack(path).chunk_shape, (Shape{10, 20, 30}));
  EXPECT_EQ(layout_of(Array::open(path)).block, (Shape{5, 10, 15}));
  expect_same_image(path);
}

TEST(Repack, ToAnotherPath) {
  const test::TempDir folder;
  const auto path = scan_in(folder);
  const std::string before = test::read_text(path);
  const auto target = folder.path() / "other.mla";
  const RepackReport report = repack_to(path, target, {.preset = Preset::small});
  EXPECT_EQ(report.bytes_before, static_cast<std::int64_t>(before.size()));
  EXPECT_EQ(report.bytes_after, static_cast<std::int64_t>(std::filesystem::file_size(target)));
  expect_same_image(target);
  EXPECT_EQ(test::read_text(path), before);
}

TEST(Repack, LeavesADamagedFileAsItIs) {
  const test::TempDir folder;
  const auto path = scan_in(folder);
  std::string bytes = test::read_text(path);
  bytes[bytes.size() / 3] = static_cast<char>(bytes[bytes.size() / 3] ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_ERROR(repack(path), ErrorKind::corruption, path.string());
  EXPECT_ERROR(repack_to(path, folder.path() / "b.mla"), ErrorKind::corruption, path.string());
  EXPECT_EQ(test::read_text(path), bytes);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "b.mla"));
}

TEST(Repack, RefusesOtherFormats) {
  const test::TempDir folder;
  EXPECT_ERROR(repack(scan_in(folder, "scan.b2nd")), ErrorKind::invalid_use, "scan.b2nd",
               "only .mla");
  EXPECT_ERROR(repack(folder.path() / "no.mla"), ErrorKind::not_found, "no.mla");
}

TEST(Repack, ChannelsAreNoAxesOfThePatch) {
  const test::TempDir folder;
  const auto path = folder.path() / "channels.mla";
  Metadata metadata;
  metadata.set_axis_labels({"channel", "spatial", "spatial"});
  SaveOptions options;
  options.layout.patch = std::vector<std::int64_t>{16, 32};  // one length per axis of space
  Array::save_voxels<std::int16_t>(path, steps(), kSize, metadata, options);
  EXPECT_EQ(Array::open(path).chunk_shape()[0], 1);
  EXPECT_EQ(repack(path, {.preset = Preset::balanced}).chunk_shape[0], 1);
  EXPECT_EQ(Array::open(path).metadata().get("blosc2", "patch_size"), Value(List{{16, 32}}));
}

TEST(MetadataOnly, IsToldFromAnArray) {
  const test::TempDir folder;
  const auto path = folder.path() / "boxes.mla";
  Metadata metadata;
  metadata.set_spacing({3, 1, 1});
  metadata.set("bbox", "labels", List{{"lesion"}});
  save_metadata(path, metadata);
  const Array image = Array::open(path);
  EXPECT_EQ(image.metadata().has_array(), false);
  EXPECT_EQ(image.metadata().spacing(), (std::vector<double>{3, 1, 1}));
  EXPECT_EQ(image.shape(), (Shape{0}));
  // A copy and a repacked file are no arrays either.
  const auto copy = folder.path() / "copy.mla";
  image.save(copy);
  EXPECT_EQ(Array::open(copy).metadata().has_array(), false);
  repack(path);
  EXPECT_EQ(Array::open(path).metadata().has_array(), false);
  EXPECT_EQ(Array::open(scan_in(folder)).metadata().has_array(), true);
}

TEST(MetadataOnly, ChecksFieldsAgainstEachOther) {
  const test::TempDir folder;
  Metadata metadata;
  metadata.set_spacing({3, 1, 1});
  metadata.set_origin({0, 0});
  EXPECT_ERROR(save_metadata(folder.path() / "a.mla", metadata), ErrorKind::invalid_value,
               "spatial.");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.mla"));
}

}  // namespace
}  // namespace mlarray
