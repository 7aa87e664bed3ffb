#include "salvage/fill_value.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "support/errors.hpp"

namespace mlarray::salvaging {
namespace {

// As hex, first byte first.
std::string hex(const Value& value, const char* dtype) {
  std::string text;
  for (const std::byte b : element_of(value, DType::parse(dtype))) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(b) >> 4];
    text += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(FillValue, OfIntegers) {
  EXPECT_EQ(hex(258, "<i2"), "0201");
  EXPECT_EQ(hex(258, ">i2"), "0102");
  EXPECT_EQ(hex(-1, "<i4"), "ffffffff");
  EXPECT_EQ(hex(-128, "|i1"), "80");
  EXPECT_EQ(hex(255, "|u1"), "ff");
  EXPECT_EQ(hex(3.0, "<u2"), "0300");
  EXPECT_EQ(hex(true, "|b1"), "01");
  EXPECT_EQ(hex(BigInt{"18446744073709551615"}, "<u8"), "ffffffffffffffff");
  EXPECT_EQ(hex(std::numeric_limits<std::int64_t>::min(), "<i8"), "0000000000000080");
  EXPECT_EQ(hex(std::numeric_limits<std::int64_t>::min(), "<M8[ns]"), "0000000000000080");
}

TEST(FillValue, OfFloats) {
  EXPECT_EQ(hex(1, "<f4"), "0000803f");
  EXPECT_EQ(hex(1.0, ">f8"), "3ff0000000000000");
  EXPECT_EQ(hex(kNaN, "<f4"), "0000c07f");
  EXPECT_EQ(hex(-kInfinity, "<f4"), "000080ff");
  EXPECT_EQ(hex(2.5, "<c8"), "0000204000000000");
  // The largest as it is printed, which is a little more, and what rounds to it.
  EXPECT_EQ(hex(3.4028235e38, ">f4"), "7f7fffff");
  EXPECT_EQ(hex(-3.40282356e38, ">f4"), "ff7fffff");
  EXPECT_EQ(hex(1.7976931348623157e308, ">f8"), "7fefffffffffffff");
  // Integers beyond 64 bits.
  EXPECT_EQ(hex(BigInt{"1180591620717411303424"}, ">f4"), "62800000");  // 2^70
  EXPECT_EQ(hex(BigInt{"-1180591620717411303424"}, ">f8"), "c450000000000000");
  EXPECT_EQ(hex(2.5, ">c16"), "40040000000000000000000000000000");
}

TEST(FillValue, OfHalves) {
  EXPECT_EQ(hex(1, "<f2"), "003c");
  EXPECT_EQ(hex(-2, "<f2"), "00c0");
  EXPECT_EQ(hex(65504, "<f2"), "ff7b");
  EXPECT_EQ(hex(1.0 / 16384, "<f2"), "0004");               // the smallest normal
  EXPECT_EQ(hex(std::ldexp(1.0, -24), "<f2"), "0100");      // the smallest
  EXPECT_EQ(hex(std::ldexp(1023.0, -24), "<f2"), "ff03");   // the largest subnormal
  EXPECT_EQ(hex(std::ldexp(2047.6, -11), "<f2"), "003c");   // rounds up into the exponent
  EXPECT_EQ(hex(1 + std::ldexp(1.0, -11), "<f2"), "003c");  // half way, to even
  EXPECT_EQ(hex(1 + std::ldexp(3.0, -11), "<f2"), "023c");
  EXPECT_EQ(hex(1e-30, "<f2"), "0000");
  EXPECT_EQ(hex(65519.9, "<f2"), "ff7b");  // rounds down to the largest
  EXPECT_EQ(hex(-kInfinity, "<f2"), "00fc");
  EXPECT_EQ(hex(kNaN, "<f2"), "007e");
}

TEST(FillValue, ZeroFitsEveryType) {
  EXPECT_EQ(hex(0, "|S3"), "000000");
  EXPECT_EQ(hex(0.0, "<U1"), "00000000");
  EXPECT_EQ(hex(false, "[('a', '<i2'), ('b', '|u1')]"), "000000");
  EXPECT_EQ(hex(0, "<f16"), std::string(32, '0'));
}

TEST(FillValue, WhatATypeDoesNotHoldIsAnError) {
  const auto refused = [](const Value& value, const char* dtype, const std::string& allowed) {
    EXPECT_ERROR(element_of(value, DType::parse(dtype)), ErrorKind::invalid_value, dtype,
                 "fill", allowed);
  };
  refused(256, "|u1", "from 0 to 255");
  refused(-1, "<u2", "from 0 to 65535");
  refused(32768, "<i2", "from -32768 to 32767");
  refused(-32769, "<i2", "from -32768 to 32767");
  refused(1.5, "<i2", "integers");
  refused(kNaN, "<i2", "integers");
  refused(2, "|b1", "from 0 to 1");
  refused(BigInt{"18446744073709551616"}, "<u8", "from 0 to 18446744073709551615");
  refused(BigInt{"-18446744073709551616"}, "<i8", "from -9223372036854775808");
  refused(70000, "<f2", "65504");
  refused(65520, "<f2", "65504");
  refused(1e39, "<f4", "up to 3.4028235e38");
  refused(3.4028236e38, "<f4", "up to 3.4028235e38");
  refused(BigInt{'1' + std::string(39, '0')}, "<f4", "up to 3.4028235e38");
  refused(BigInt{'1' + std::string(400, '0')}, "<f8", "up to 1.7976931348623157e308");
  refused(BigInt{"18446744073709551616"}, "|S3", "0 alone");
  refused(1, "|S3", "0 alone");
  refused(kNaN, "<f16", "0 alone");
  refused("text", "<i2", "a bool, an integer or a float");
  refused(Value(), "<i2", "a bool, an integer or a float");
}

}  // namespace
}  // namespace mlarray::salvaging
