#include "frame/metalayers.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "mlarray/error.hpp"

namespace mlarray::frame {
namespace {

std::vector<std::byte> bytes(const std::string& text) {
  std::vector<std::byte> out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

// The metalayers of a header that c-blosc2 3.3.5 wrote for an int16 array of shape (5,) in
// chunks of 5 and blocks of 5, from the byte 87 on.
TEST(Metalayers, AreLaidOutAsBlosc2DoesIt) {
  const std::vector<std::byte> content = bytes("abc");
  const std::vector<NamedSpan> layers = {{"b2nd", content}};
  std::vector<std::byte> out(87);
  append_metalayers(out, layers, Place::header);
  const std::vector<unsigned> expected = {
      0x93, 0xcd, 0x00, 0x11, 0xde, 0x00, 0x01, 0xa4, 'b',  '2',  'n',  'd', 0xd2, 0x00,
      0x00, 0x00, 0x6b, 0xdc, 0x00, 0x01, 0xc6, 0x00, 0x00, 0x00, 0x03, 'a', 'b',  'c'};
  ASSERT_EQ(out.size(), 87 + expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(std::to_integer<unsigned>(out[87 + i]), expected[i]) << "byte " << i;
  }
}

TEST(Metalayers, ReadBackAsWritten) {
  const std::vector<std::byte> a = bytes("first");
  const std::vector<std::byte> b = bytes("");
  const std::vector<NamedSpan> layers = {{"a", a}, {std::string(31, 'n'), b}};
  for (const Place place : {Place::header, Place::trailer}) {
    std::vector<std::byte> out(2);
    append_metalayers(out, layers, place);
    const auto again = parse_metalayers(out, 2, "test");
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].name, "a");
    EXPECT_TRUE(std::equal(again[0].content.begin(), again[0].content.end(), a.begin()));
    EXPECT_EQ(again[1].name, std::string(31, 'n'));
    EXPECT_TRUE(again[1].content.empty());
  }
}

TEST(Metalayers, RefuseLongNames) {
  const std::vector<NamedSpan> layers = {{std::string(32, 'n'), {}}};
  std::vector<std::byte> out;
  EXPECT_THROW(append_metalayers(out, layers, Place::header), Error);
}

// 65535 names for the same megabyte would cost 64 GiB to copy.
TEST(Metalayers, MayNotShareBytes) {
  const std::vector<std::byte> content = bytes(std::string(100, 'c'));
  const std::vector<NamedSpan> layers = {{"one", content}, {"two", content}};
  std::vector<std::byte> out;
  append_metalayers(out, layers, Place::header);
  ASSERT_EQ(parse_metalayers(out, 0, "test").size(), 2U);
  // Both offsets, at their places after the names, to the first content.
  const std::size_t first = 7 + 4 + 1;
  const std::size_t second = first + 4 + 4 + 1;
  std::copy_n(out.begin() + first, 4, out.begin() + second);
  out.resize(out.size() - content.size() - 5);
  try {
    parse_metalayers(out, 0, "test");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corruption);
    EXPECT_NE(std::string(error.what()).find("200 bytes"), std::string::npos);
  }
}

TEST(Metalayers, SurviveTruncationsAndMutations) {
  const std::vector<std::byte> content = bytes("some content");
  const std::vector<NamedSpan> layers = {{"one", content}, {"two", content}};
  std::vector<std::byte> good(2);
  append_metalayers(good, layers, Place::trailer);
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_THROW(parse_metalayers(std::span(good).first(length), 2, "test"), Error);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte> bad = good;
    bad[random() % bad.size()] = static_cast<std::byte>(random() & 0xff);
    try {
      parse_metalayers(bad, 2, "test");
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace mlarray::frame
