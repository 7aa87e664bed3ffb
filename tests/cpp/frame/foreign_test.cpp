#include "frame/foreign.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mlarray::frame {
namespace {

std::string_view name_of(const std::string& start) {
  return recognise(std::as_bytes(std::span(start))).what;
}

TEST(Foreign, IsNamedByItsMagicAtItsPlace) {
  EXPECT_EQ(name_of("\x1f\x8b..."), "a gzip file (such as .nii.gz)");
  EXPECT_EQ(name_of(std::string(128, '\0').append("DICM")), "a DICOM file");
  EXPECT_EQ(name_of(std::string(344, '\0').append("n+1\0", 4)), "a NIfTI file");
  EXPECT_EQ(name_of(std::string(257, 'x').append("ustar")), "a tar archive");
}

TEST(Foreign, IsUnknownWithoutTheWholeMagic) {
  for (const char* start : {"", "\x1f", "NRR", "DICM"}) EXPECT_EQ(name_of(start), "");
  EXPECT_EQ(name_of(std::string(128, '\0').append("DIC")), "");
}

TEST(Foreign, ComesWithAWayOut) {
  const std::string start = "NRRD0004\n";
  EXPECT_FALSE(recognise(std::as_bytes(std::span(start))).way_out.empty());
}

}  // namespace
}  // namespace mlarray::frame
