// What is read back before a new file takes its place.
#include <gtest/gtest.h>

#include "grid/gather.hpp"
#include "mlarray/error.hpp"
#include "session/new_file.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::read_all;
using test::TempDir;
using test::Voxels;
using test::with_layout;

Metadata with_spacing(double z) {
  Metadata metadata;
  metadata.set("spatial", "spacing", List{{z, 1.0, 1.0}});
  return metadata;
}

class ReadBack : public ::testing::Test {
 protected:
  ReadBack() : out_(dir_.path() / "a.mla") {
    file_.begin(out_);
    file_.add_chunks(out_, 1, filling(voxels_));
    file_.finish(out_);
  }
  // As Array::save_voxels does it.
  pipeline::FillChunk filling(const Voxels& voxels) {
    return [this, &voxels](std::int64_t number, std::span<std::byte> chunk) {
      std::fill(chunk.begin(), chunk.end(), std::byte{0});
      grid::gather(file_.geometry(), number, file_.geometry().chunk_box(number), voxels.view(),
                   Shape(3, 0), chunk);
    };
  }
  std::string error_of(const Voxels& voxels, const std::optional<Metadata>& metadata) {
    try {
      file_.read_back(out_, 2, filling(voxels), metadata);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corruption) << error.what();
      return error.what();
    }
    return "";
  }

  TempDir dir_;
  Voxels voxels_{{17, 19, 23}};
  Metadata metadata_ = with_spacing(2.5);
  session::NewFile file_{voxels_.shape, int16(), metadata_, with_layout({8, 8, 8}, {4, 4, 8})};
  io::AtomicFile out_;
};

TEST_F(ReadBack, OfWhatWasSavedIsFine) { EXPECT_EQ(error_of(voxels_, metadata_), ""); }

TEST_F(ReadBack, NoticesOneVoxel) {
  Voxels other = voxels_;
  other.data[other.offset({16, 0, 22})] ^= 1;
  const std::string what = error_of(other, metadata_);
  EXPECT_NE(what.find("chunk 20 of the new file did not read back"), std::string::npos) << what;
}

TEST_F(ReadBack, NoticesMetadata) {
  const std::string what = error_of(voxels_, with_spacing(2.0));
  EXPECT_NE(what.find("the metadata of the new file"), std::string::npos) << what;
}

TEST_F(ReadBack, NoticesBytesThatAreNotWhatWasWritten) {
  const std::vector<std::byte> wrong(1, std::byte{0x55});
  out_.write_at(out_.position() / 2, wrong);
  EXPECT_NE(error_of(voxels_, metadata_), "");
}

TEST_F(ReadBack, NoticesATrailerThatIsNotWhatWasWritten) {
  const std::vector<std::byte> wrong(1, std::byte{0x55});
  out_.write_at(out_.position() - 30, wrong);
  EXPECT_NE(error_of(voxels_, metadata_), "");
}

TEST(SaveVerified, GivesTheSameFile) {
  const TempDir dir;
  const Voxels voxels({17, 19, 23});
  SaveOptions options = with_layout({8, 8, 8}, {4, 4, 8});
  options.verify = true;
  Array::save_voxels(dir.path() / "a.mla", voxels.view(), int16(), with_spacing(3), options);
  const Array first = Array::open(dir.path() / "a.mla");
  first.save(dir.path() / "b.mla", options);
  const Array second = Array::open(dir.path() / "b.mla");
  EXPECT_EQ(read_all(second), voxels.data);
  EXPECT_EQ(second.metadata(), first.metadata());
  EXPECT_EQ(second.seal(), Seal::valid);
}

// Filters that drop bits change what is saved, and statistics are left out.
TEST(ReadBackOfShortened, ComparesWhatTheFilterLeaves) {
  const TempDir dir;
  std::vector<float> voxels(17 * 19 * 23);
  for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = 0.1F + static_cast<float>(i) / 7;
  Metadata metadata = with_spacing(2.5);
  metadata.set("stats", "mean", 3.0);
  CodecParams codec = codec_for(Preset::fast, DType::of<float>());
  codec.filters = {4};
  codec.filters_meta = {10};
  SaveOptions options = with_layout({8, 8, 8}, {4, 4, 8});
  options.codec = codec;
  options.verify = true;
  const auto path = dir / "a.mla";
  Array::save_voxels(path, view_of(voxels, {17, 19, 23}), DType::of<float>(), metadata,
                     options);
  const Box whole = Box::whole({17, 19, 23});
  const auto found = Array::open(path).read<float>(whole);
  EXPECT_NE(found, voxels);
  EXPECT_NEAR(found[1000], voxels[1000], voxels[1000] / 500);
  Array::open(path).save(dir / "b.mla", options);
  EXPECT_EQ(Array::open(dir / "b.mla").read<float>(whole), found);
}

}  // namespace
}  // namespace mlarray
