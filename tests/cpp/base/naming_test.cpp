#include "base/naming.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "support/errors.hpp"

namespace mlarray::base {
namespace {

Error through(const std::string& path, const Error& error) {
  return *test::error_of([&] { naming(path, [&] { throw error; }); });
}

TEST(Naming, PutsThePathInFront) {
  const Error error = through("a.mla", Error(ErrorKind::corruption, "chunk 3 is damaged"));
  EXPECT_STREQ(error.what(), "'a.mla': chunk 3 is damaged");
  EXPECT_EQ(error.kind(), ErrorKind::corruption);
  EXPECT_EQ(error.path(), "a.mla");
  EXPECT_EQ(error.system_error(), 0);
}

TEST(Naming, IsNotMisledByATextThatHoldsThePath) {
  const Error error = through("1", Error(ErrorKind::corruption, "chunk 1 is damaged"));
  EXPECT_STREQ(error.what(), "'1': chunk 1 is damaged");
}

TEST(Naming, LeavesWhatIsAboutAFileAlready) {
  const Error inner(ErrorKind::io, "cannot read 'mask.mla': no", "mask.mla", EIO);
  for (const char* path : {"mask.mla", "image.mla", ""}) {
    const Error error = through(path, inner);
    EXPECT_STREQ(error.what(), "cannot read 'mask.mla': no");
    EXPECT_EQ(error.path(), "mask.mla");
    EXPECT_EQ(error.system_error(), EIO);
  }
}

TEST(Naming, KeepsTheErrnoOfAnErrorWithoutPath) {
  const Error error = through("a.mla", Error(ErrorKind::io, "no memory", "", ENOMEM));
  EXPECT_STREQ(error.what(), "'a.mla': no memory");
  EXPECT_EQ(error.system_error(), ENOMEM);
}

TEST(Naming, AnErrorOfNoFileHasNoPath) {
  const Error error = through("", Error(ErrorKind::invalid_value, "3 is no axis"));
  EXPECT_STREQ(error.what(), "3 is no axis");
  EXPECT_EQ(error.path(), "");
}

TEST(Error, CopiesHoldPathAndErrno) {
  std::optional<Error> first(Error(ErrorKind::io, "text", "a.mla", ENOSPC));
  const Error copy = *first;
  first.reset();
  EXPECT_EQ(copy.path(), "a.mla");
  EXPECT_EQ(copy.system_error(), ENOSPC);
  static_assert(std::is_nothrow_copy_constructible_v<Error>);
}

}  // namespace
}  // namespace mlarray::base
