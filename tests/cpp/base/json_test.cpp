// Golden strings were made with Python's json.dumps(..., sort_keys=True).
#include <gtest/gtest.h>

#include <limits>

#include "mlarray/error.hpp"
#include "mlarray/value.hpp"

namespace mlarray {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Value sample() {
  const std::string odd = "\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\xed\xa0\x80x" +
                          std::string(1, '\0') + "\x7f\"\\/\n";
  Map inner;
  inner.set(odd, Value());
  inner.set("", true);
  Map map;
  map.set("b", List{{1, 1e-5, -0.0, kNan, kInf, -kInf, BigInt{"1208925819614629174706176"}}});
  map.set("a", inner);
  map.set("c", List{});
  map.set("d", Map{});
  map.set("e", List{{Value(1), Value(List{{Value(2)}, true})}, true});
  return map;
}

TEST(Json, OneLine) {
  EXPECT_EQ(
      to_json(sample()),
      "{\"a\":{\"\":true,\"\\u00e9\\u2028\\ud83d\\ude00\\ud800x\\u0000\\u007f\\\"\\\\/\\n\":"
      "null},\"b\":[1,1e-05,-0.0,NaN,Infinity,-Infinity,1208925819614629174706176],"
      "\"c\":[],\"d\":{},\"e\":[1,[2]]}");
}

TEST(Json, Indented) {
  Map map;
  map.set("c", List{});
  map.set("d", Map{});
  map.set("e", List{{Value(1), Value(List{{Value(2)}})}});
  EXPECT_EQ(to_json(map, 2),
            "{\n  \"c\": [],\n  \"d\": {},\n  \"e\": [\n    1,\n    [\n      2\n    ]\n  ]\n}");
  EXPECT_EQ(to_json(List{{Value(1.5)}}, 0), "[\n1.5\n]");
  EXPECT_EQ(to_json(Value(Bytes{"ab"}), 1), "{\n \"__bytes__\": \"YWI=\"\n}");
}

TEST(Json, Scalars) {
  EXPECT_EQ(to_json(Value()), "null");
  EXPECT_EQ(to_json(false), "false");
  EXPECT_EQ(to_json(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(to_json("\b\f\r\t"), "\"\\b\\f\\r\\t\"");
  EXPECT_EQ(to_json("\xff"), "\"\\ufffd\"");  // what is no text stays printable
}

TEST(Json, KeysThatAreNoStrings) {
  Map numbers;
  numbers.items = {{Value(10), Value(1)},
                   {Value(2), Value(2)},
                   {Value(true), Value(3)},
                   {Value(1.5), Value(4)},
                   {Value(BigInt{"1180591620717411303424"}), Value(1)}};
  EXPECT_EQ(to_json(numbers),
            "{\"true\":3,\"1.5\":4,\"2\":2,\"10\":1,\"1180591620717411303424\":1}");
  Map mixed;
  mixed.items = {{Value("x"), Value(1)},
                 {Value(), Value(2)},
                 {Value(kNan), Value(3)},
                 {Value(List{{Value(1), Value("a")}, true}), Value(4)}};
  EXPECT_EQ(to_json(mixed), "{\"NaN\":3,\"[1,\\\"a\\\"]\":4,\"null\":2,\"x\":1}");
}

TEST(Json, BytesAndObjects) {
  EXPECT_EQ(to_json(Value(Bytes{""})), "{\"__bytes__\":\"\"}");
  EXPECT_EQ(to_json(Value(Bytes{"\xff"})), "{\"__bytes__\":\"/w==\"}");
  EXPECT_EQ(to_json(Value(Bytes{"abc"})), "{\"__bytes__\":\"YWJj\"}");
  EXPECT_EQ(to_json(Value(Opaque{"decimal.Decimal", {Value("1.5")}})),
            "{\"__class__\":\"decimal.Decimal\",\"__state__\":[\"1.5\"]}");
}

TEST(Json, DepthIsBounded) {
  Value list_chain;
  Value key_chain;
  for (int i = 0; i < 501; ++i) {
    list_chain = List{{list_chain}};
    Map map;
    map.items.emplace_back(std::move(key_chain), Value());
    key_chain = std::move(map);
  }
  for (const Value* value : {&list_chain, &key_chain}) {
    try {
      to_json(*value);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    }
  }
}

// Each level of keys within keys doubles the backslashes of the one inside.
TEST(Json, KeysWithinKeysAreBounded) {
  Value key("innermost");
  for (int i = 0; i < 4; ++i) {
    Map map;
    map.items.emplace_back(std::move(key), Value());
    key = std::move(map);
  }
  EXPECT_LT(to_json(key).size(), 100U);
  for (int i = 0; i < 60; ++i) {
    Map map;
    map.items.emplace_back(std::move(key), Value());
    key = std::move(map);
  }
  try {
    to_json(key);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  }
}

}  // namespace
}  // namespace mlarray
