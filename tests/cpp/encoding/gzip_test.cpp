#include "encoding/gzip.hpp"

#include <gtest/gtest.h>

#include <random>

#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

constexpr std::size_t kPlenty = 64u << 20;

// Python's gzip.compress(b"hello", mtime=0).
constexpr std::string_view kHello = "1f8b0800000000000203cb48cdc9c9070086a6103605000000";

std::string noise(std::size_t size) {
  std::mt19937_64 random(1);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

TEST(Gzip, ReadsPythonsStreams) {
  const std::string hello = from_hex(kHello);
  EXPECT_EQ(gunzip(bytes_of(hello), kPlenty), "hello");
  EXPECT_EQ(gunzip(bytes_of(hello + hello), kPlenty), "hellohello");
  EXPECT_EQ(
      gunzip(bytes_of(hello + std::string(3, '\0') + hello + std::string(5, '\0')), kPlenty),
      "hellohello");
}

TEST(Gzip, RoundTrips) {
  for (const std::size_t size : {0u, 1u, 70'000u, 1'000'000u}) {
    for (const int level : {0, 1, 6, 9}) {
      const std::string data = noise(size);
      EXPECT_EQ(gunzip(bytes_of(gzip(data, level)), kPlenty), data);
    }
  }
}

TEST(Gzip, IsDeterministic) {
  const std::string packed = gzip("hello");
  EXPECT_EQ(to_hex(packed.substr(0, 10)), "1f8b08000000000000ff");  // no time, unknown system
  EXPECT_EQ(packed, gzip("hello"));
}

TEST(Gzip, Recognises) {
  EXPECT_TRUE(is_gzip(bytes_of(gzip(""))));
  EXPECT_FALSE(is_gzip({}));
  EXPECT_FALSE(is_gzip(bytes_of("\x1f")));
  EXPECT_FALSE(is_gzip(bytes_of("\x1f\x8c")));
}

TEST(Gzip, RefusesDamage) {
  const std::string hello = from_hex(kHello);
  for (std::size_t size = 0; size < hello.size(); ++size) {
    expect_error(ErrorKind::corruption,
                 [&] { gunzip(bytes_of(std::string_view(hello).substr(0, size)), kPlenty); });
  }
  for (const std::size_t at : {0u, 1u, 2u, 12u, 18u, 20u, 23u}) {  // magic, data, CRC, length
    std::string bad = hello;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    expect_error(ErrorKind::corruption, [&] { gunzip(bytes_of(bad), kPlenty); });
  }
  expect_error(ErrorKind::corruption, [&] { gunzip(bytes_of(hello + "x"), kPlenty); });
}

TEST(Gzip, StopsAtTheLimit) {
  const std::string bomb = gzip(std::string(30'000'000, 'a'), 9);
  EXPECT_LT(bomb.size(), 40'000u);
  expect_contains(
      expect_error(ErrorKind::unsupported, [&] { gunzip(bytes_of(bomb), 1'000'000); }),
      "1000000");
  EXPECT_EQ(gunzip(bytes_of(gzip("12345")), 5), "12345");
  expect_error(ErrorKind::unsupported, [&] { gunzip(bytes_of(gzip("12345")), 4); });
  // Members add up.
  expect_error(ErrorKind::unsupported, [&] { gunzip(bytes_of(gzip("123") + gzip("456")), 5); });
}

TEST(Gzip, RefusesOtherLevels) {
  expect_error(ErrorKind::invalid_value, [] { gzip("a", 10); });
  expect_error(ErrorKind::invalid_value, [] { gzip("a", -1); });
}

}  // namespace
}  // namespace mlarray::encoding
