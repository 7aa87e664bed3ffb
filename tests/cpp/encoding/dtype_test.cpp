#include <gtest/gtest.h>

#include "encoding/support.hpp"
#include "mlarray/types.hpp"

namespace mlarray::encoding {
namespace {

// data/make_pickles.py: texts as python-blosc2 stores them, and what NumPy makes of each.
TEST(DType, AgreesWithNumpy) {
  for (const auto& row : read_table("dtypes.tsv")) {
    ASSERT_EQ(row.size(), 5u);
    const std::string text = from_hex(row[0]);
    SCOPED_TRACE(text);
    DType dtype;
    ASSERT_NO_THROW(dtype = DType::parse(text));
    EXPECT_EQ(dtype.text(), text);
    EXPECT_EQ(std::string(1, dtype.kind()), row[1]);
    EXPECT_EQ(std::to_string(dtype.itemsize()), row[2]);
    EXPECT_EQ(dtype.big_endian(), row[3] == "1");
    EXPECT_EQ(dtype.structured(), row[4] == "1");
  }
}

TEST(DType, ReadsLongDoublesOfOtherMachines) {
  EXPECT_EQ(DType::parse("<f12").itemsize(), 12);
  EXPECT_EQ(DType::parse("<c24").itemsize(), 24);
}

TEST(DType, RefusesObjects) {
  for (const char* text :
       {"|O", "O", "O8", "<O8", "object", "object_", "[('a', 'O')]",
        "[('a', '<i4'), ('b', [('c', '|O')])]", "{'names': ['a'], 'formats': ['O']}"}) {
    SCOPED_TRACE(text);
    expect_contains(expect_error(ErrorKind::unsupported, [&] { DType::parse(text); }),
                    "Python objects");
  }
}

TEST(DType, RefusesElementsOfNoBytesAndOfTooMany) {
  for (const char* text : {"<U0", "S", "V0", "[]", "[('a', 'S0')]", "[('a', '<i4', (0,))]"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::unsupported, [&] { DType::parse(text); });
  }
  EXPECT_EQ(DType::parse("S2147483647").itemsize(), 2147483647);
  for (const char* text :
       {"S2147483648", "U536870912", "[('a', '<i4', (536870912,))]",
        "[('a', 'S2147483647'), ('b', 'S2147483647')]",
        "[('a', 'V2147483647', (9223372036854775807, 9223372036854775807))]",
        "{'names': ['a'], 'formats': ['<i4'], 'offsets': [9223372036854775807]}",
        "{'names': ['a'], 'formats': ['<i4'], 'itemsize': 4294967296}"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::unsupported, [&] { DType::parse(text); });
  }
}

TEST(DType, RefusesWhatIsNoDtype) {
  for (const char* text :
       {"",
        " ",
        "<",
        "|",
        "i3",
        "<i16",
        "f1",
        "c4",
        "b2",
        "M4",
        "m16",
        "U-1",
        "S1.5",
        "<<i2",
        "int24",
        "garbage",
        "i4,f8",
        "<i2 ",
        "f8[ns]",
        "M8[",
        "M8[]",
        "M8[xx]",
        "M8[0s]",
        "M8[ns]x",
        "U99999999999999999999",
        "x4",
        "(1,)",
        "('<f8', (3,))",
        "3",
        "'<i4'",
        "[",
        "[1]",
        "['<i4']",
        "[('a',)]",
        "[('a', '<i4', (1,), 2)]",
        "[(1, '<i4')]",
        "[['a', '<i4']]",
        "[('a', 'i3')]",
        "[('a', '<i4'), ('a', '<i4')]",
        "[(('t', 'a'), '<i4'), ('t', '<i4')]",
        "[('a', '<i4', (-1,))]",
        "[('a', '<i4', 1.5)]",
        "[('a', 5)]",
        "[('a', ())]",
        "{}",
        "{'names': ['a']}",
        "{'names': ['a'], 'formats': []}",
        "{'names': 'a', 'formats': 'b'}",
        "{'names': ['a'], 'formats': ['<i4'], 'offsets': []}",
        "{'names': ['a'], 'formats': ['<i4'], 'offsets': [-1]}",
        "{'names': ['a'], 'formats': ['<i4'], 'itemsize': 3}",
        "{'names': ['a'], 'formats': ['<i4'], 'itemsize': '4'}",
        "{'names': ['a'], 'formats': ['<i4'], 'offsets': [2], 'aligned': True}",
        "{'names': ['a'], 'formats': ['<i4'], 'itemsize': 6, 'aligned': True}",
        "{'names': ['a'], 'formats': ['<i4'], 'extra': 1}",
        "[('a', __import__('os'))]"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::invalid_value, [&] { DType::parse(text); });
  }
  expect_contains(expect_error(ErrorKind::invalid_value, [] { DType::parse("garbage"); }),
                  "garbage");
  expect_error(ErrorKind::invalid_value, [] { DType::parse(std::string(100'000, '[')); });
}

TEST(DType, OfATypeOfCpp) {
  const std::string order = std::endian::native == std::endian::little ? "<" : ">";
  EXPECT_EQ(DType::of<bool>().text(), "|b1");
  EXPECT_EQ(DType::of<std::int8_t>().text(), "|i1");
  EXPECT_EQ(DType::of<std::uint8_t>().text(), "|u1");
  EXPECT_EQ(DType::of<std::int16_t>().text(), order + "i2");
  EXPECT_EQ(DType::of<std::uint32_t>().text(), order + "u4");
  EXPECT_EQ(DType::of<long long>().text(), order + "i8");
  EXPECT_EQ(DType::of<float>().text(), order + "f4");
  EXPECT_EQ(DType::of<double>().text(), order + "f8");
  EXPECT_EQ(DType::of<std::complex<float>>().text(), order + "c8");
  EXPECT_EQ(DType::of<std::complex<double>>().text(), order + "c16");
  EXPECT_EQ(DType::of<float>().kind(), 'f');
  EXPECT_EQ(DType::of<float>().itemsize(), 4);
  EXPECT_FALSE(DType::of<float>().structured());
  EXPECT_TRUE(DType::of<float>().is<float>());
  EXPECT_FALSE(DType::of<float>().is<std::int32_t>());
  EXPECT_FALSE(DType::of<float>().is<double>());
  EXPECT_FALSE(DType().is<float>());
}

}  // namespace
}  // namespace mlarray::encoding
