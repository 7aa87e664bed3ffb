#include "base/text.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace mlarray::base {
namespace {

TEST(Text, CodePointsRoundTrip) {
  for (const char32_t code : {U'\0', U'a', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xffff',
                              U'\x10000', U'\x10ffff', char32_t{0xD800}, char32_t{0xDFFF}}) {
    std::string text;
    append_code_point(text, code);
    std::size_t position = 0;
    EXPECT_EQ(next_code_point(text, position), code);
    EXPECT_EQ(position, text.size());
    EXPECT_TRUE(is_text(text));
  }
}

TEST(Text, RefusesWhatIsNoUtf8) {
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "a\xe2\x82", "\xc3(", "\xe2(\xa1"}) {
    EXPECT_FALSE(is_text(bad)) << bad;
  }
}

TEST(Text, FindsSurrogates) {
  EXPECT_TRUE(has_surrogates("a\xed\xa0\x80"));
  EXPECT_FALSE(has_surrogates("a\xed\x9f\xbf\xee\x80\x80\xff"));
}

TEST(Text, QuotesForMessages) {
  EXPECT_EQ(quote("a\n\xc3\xa9"), "\"a???\"");
  EXPECT_LT(quote(std::string(1000, 'x')).size(), 100u);
}

// Golden strings: Python's repr.
TEST(Text, FloatsAsPythonWritesThem) {
  const std::pair<double, const char*> cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1.0, "1.0"},
      {100.0, "100.0"},
      {0.1, "0.1"},
      {1e15, "1000000000000000.0"},
      {9999999999999998.0, "9999999999999998.0"},
      {1e16, "1e+16"},
      {1e22, "1e+22"},
      {123456789012345680.0, "1.2345678901234568e+17"},
      {0.0001, "0.0001"},
      {0.00012345, "0.00012345"},
      {1e-5, "1e-05"},
      {-1e-7, "-1e-07"},
      {1.5e300, "1.5e+300"},
      {5e-324, "5e-324"},
      {123456.789, "123456.789"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
      {std::numeric_limits<double>::infinity(), "inf"},
      {-std::numeric_limits<double>::infinity(), "-inf"},
      {std::numeric_limits<double>::quiet_NaN(), "nan"},
  };
  for (const auto& [value, text] : cases) EXPECT_EQ(float_repr(value), text);
}

}  // namespace
}  // namespace mlarray::base
