#include "base/memory.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <utility>

namespace mlarray::base {
namespace {

bool begins_a_line(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % 64 == 0;
}

TEST(Memory, BeginsWithALineAndMoves) {
  Memory memory(100);
  EXPECT_TRUE(begins_a_line(memory.data()));
  EXPECT_EQ(memory.size(), 100U);
  std::byte* const data = memory.data();
  Memory other = std::move(memory);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(memory.data(), nullptr);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(memory.size(), 0U);
  EXPECT_NE(Memory(0).data(), nullptr);
}

TEST(Scratch, GrowsAndKeepsWhatItHas) {
  Scratch<std::int32_t> scratch;
  const auto first = scratch.get(10);
  EXPECT_TRUE(begins_a_line(first.data()));
  EXPECT_EQ(first.size(), 10U);
  first[9] = 7;
  EXPECT_EQ(scratch.get(3).data(), first.data());
  EXPECT_EQ(scratch.get(10)[9], 7);
  EXPECT_EQ(scratch.get(1000).size(), 1000U);
}

TEST(Scratch, OfNothingIsNoNull) { EXPECT_NE(Scratch<>().get(0).data(), nullptr); }

TEST(Scratch, GivesBackWhatIsTooMuch) {
  Scratch<std::int64_t> scratch;
  std::int64_t* const data = scratch.get(8).data();
  scratch.trim(64);
  EXPECT_EQ(scratch.get(8).data(), data);
  scratch.trim(63);
  EXPECT_EQ(scratch.get(1).size(), 1U);
}

TEST(Scratch, RefusesMoreThanThereIs) {
  Scratch<std::int64_t> scratch;
  EXPECT_THROW(scratch.get(std::numeric_limits<std::int64_t>::max() / 4), std::bad_alloc);
  EXPECT_THROW(scratch.get(std::int64_t{-1}), std::bad_alloc);
  EXPECT_EQ(scratch.get(4).size(), 4U);
}

}  // namespace
}  // namespace mlarray::base
