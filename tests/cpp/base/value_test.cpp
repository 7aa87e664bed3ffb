#include "mlarray/value.hpp"

#include <gtest/gtest.h>

namespace mlarray {
namespace {

TEST(Value, MapFindSetErase) {
  Map map;
  map.items.emplace_back(Value(1), Value("a number as key"));
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  ASSERT_EQ(map.items.size(), 3u);
  EXPECT_EQ(map.items[1].first, Value("a"));  // the order of insertion is kept
  EXPECT_EQ(*map.find("a"), Value(3));
  EXPECT_EQ(std::as_const(map).find("1"), nullptr);
  *map.find("b") = Value(7);
  EXPECT_EQ(*std::as_const(map).find("b"), Value(7));
  EXPECT_TRUE(map.erase("a"));
  EXPECT_FALSE(map.erase("a"));
  EXPECT_EQ(map.find("a"), nullptr);
  EXPECT_EQ(map.items.size(), 2u);
}

TEST(Value, TypeNames) {
  EXPECT_EQ(Value().type_name(), "None");
  EXPECT_EQ(Value(true).type_name(), "bool");
  EXPECT_EQ(Value(1).type_name(), "int");
  EXPECT_EQ(Value(BigInt{"99999999999999999999"}).type_name(), "int");
  EXPECT_EQ(Value(1.0).type_name(), "float");
  EXPECT_EQ(Value("a").type_name(), "str");
  EXPECT_EQ(Value(Bytes{"a"}).type_name(), "bytes");
  EXPECT_EQ(Value(List{}).type_name(), "list");
  EXPECT_EQ(Value(List{{}, true}).type_name(), "tuple");
  EXPECT_EQ(Value(Map{}).type_name(), "dict");
  EXPECT_EQ(Value(Opaque{"decimal.Decimal", {}}).type_name(), "decimal.Decimal");
}

TEST(Value, CopiesAreDeep) {
  Value original(List{{Value(1)}});
  Value copy = original;
  copy.get_if<List>()->items[0] = Value(2);
  EXPECT_EQ(original, Value(List{{Value(1)}}));
  EXPECT_FALSE(original == copy);
}

TEST(Value, NumbersOfEveryKind) {
  EXPECT_EQ(Value(3).number(), 3.0);
  EXPECT_EQ(Value(2.5).number(), 2.5);
  EXPECT_EQ(Value(BigInt{"-1208925819614629174706176"}).number(), -0x1p80);
  EXPECT_EQ(Value(true).number(), std::nullopt);
  EXPECT_EQ(Value("3").number(), std::nullopt);
}

}  // namespace
}  // namespace mlarray
