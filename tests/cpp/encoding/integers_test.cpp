#include "encoding/integers.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

TEST(Integers, FromDecimal) {
  EXPECT_EQ(integer_from_decimal("0"), Value(0));
  EXPECT_EQ(integer_from_decimal("-0"), Value(0));
  EXPECT_EQ(integer_from_decimal("+007"), Value(7));
  EXPECT_EQ(integer_from_decimal("-9223372036854775808"),
            Value(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(integer_from_decimal("009223372036854775808"),
            Value(BigInt{"9223372036854775808"}));
  EXPECT_EQ(integer_from_decimal("-9223372036854775809"),
            Value(BigInt{"-9223372036854775809"}));
  for (const char* bad : {"", "-", "+", "1 ", " 1", "0x1", "1.0", "--1", "1_0"}) {
    expect_error(ErrorKind::corruption, [&] { integer_from_decimal(bad); });
  }
}

TEST(Integers, TwosComplementBothWays) {
  using namespace std::string_literals;
  const std::pair<std::string, std::string> cases[] = {
      {"9223372036854775808", "\x00\x00\x00\x00\x00\x00\x00\x80\x00"s},
      {"-9223372036854775809", "\xff\xff\xff\xff\xff\xff\xff\x7f\xff"s},
      {"18446744073709551615", "\xff\xff\xff\xff\xff\xff\xff\xff\x00"s},
      {"-18446744073709551616", "\x00\x00\x00\x00\x00\x00\x00\x00\xff"s},
      {"1000000000000000000000", "\x00\x00\xa0\xde\xc5\xad\xc9\x35\x36"s},
  };
  for (const auto& [decimal, bytes] : cases) {
    EXPECT_EQ(to_hex(twos_complement(BigInt{decimal})), to_hex(bytes));
    EXPECT_EQ(integer_from_twos_complement(bytes), Value(BigInt{decimal}));
  }
  EXPECT_EQ(integer_from_twos_complement(""), Value(0));
  EXPECT_EQ(integer_from_twos_complement("\xff"), Value(-1));
  EXPECT_EQ(integer_from_twos_complement("\x80\xff"), Value(-128));
  EXPECT_EQ(integer_from_twos_complement(std::string("\x80\0\0", 3)), Value(128));
}

TEST(Integers, LimitIsPythons) {
  const std::string longest(4300, '9');
  EXPECT_EQ(integer_from_twos_complement(twos_complement(BigInt{longest})),
            Value(BigInt{longest}));
  expect_error(ErrorKind::unsupported, [&] { integer_from_decimal(longest + "0"); });
  expect_error(ErrorKind::unsupported, [&] { twos_complement(BigInt{longest + "0"}); });
  expect_error(ErrorKind::unsupported,
               [] { integer_from_twos_complement(std::string(1787, '\x7f')); });
  expect_error(ErrorKind::unsupported,
               [] { integer_from_twos_complement(std::string(5'000'000, '\x01')); });
}

}  // namespace
}  // namespace mlarray::encoding
