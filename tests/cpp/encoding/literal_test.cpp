#include "encoding/literal.hpp"

#include <gtest/gtest.h>

#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

Value list(std::vector<Value> items) { return List{std::move(items), false}; }
Value tuple(std::vector<Value> items) { return List{std::move(items), true}; }

// Expected values are what Python's ast.literal_eval gives.
TEST(Literal, Values) {
  const std::pair<const char*, Value> cases[] = {
      {"None", {}},
      {" True ", true},
      {"False", false},
      {"0", 0},
      {"00", 0},
      {"-12", -12},
      {"+3", 3},
      {"- 1", -1},
      {"1_000", 1000},
      {"0x1F", 31},
      {"-0o17", -15},
      {"0b101", 5},
      {"1208925819614629174706176", BigInt{"1208925819614629174706176"}},
      {"1.5", 1.5},
      {".5", 0.5},
      {"1.", 1.0},
      {"1e3", 1000.0},
      {"0e5", 0.0},
      {"-1.5E-3", -0.0015},
      {"1_0.5_0", 10.5},
      {"[]", list({})},
      {"()", tuple({})},
      {"(1)", 1},
      {"(1,)", tuple({Value(1)})},
      {"(1, 2,)", tuple({Value(1), Value(2)})},
      {"[\n 1 ,\t(2,) ]", list({Value(1), tuple({Value(2)})})},
      {"'a' \"b\"", "ab"},
      {"b'a' b'b'", Bytes{"ab"}},
      {"u'a'", "a"},
      {"r'\\n'", "\\n"},
      {"Rb'\\n'", Bytes{"\\n"}},
      {"'it\\'s'", "it's"},
      {"'\\x41\\101\\u00e9\\U0001f600\\n\\q\\\\'", "AA\xc3\xa9\xf0\x9f\x98\x80\n\\q\\"},
      {"'\\400'", "\xc4\x80"},
      {"'\\ud800'", "\xed\xa0\x80"},
      {"b'\\xff\\u0041\\N{x}'", Bytes{"\xff\\u0041\\N{x}"}},
      {"'\\\n'", ""},
  };
  for (const auto& [text, expected] : cases) {
    Value value;
    ASSERT_NO_THROW(value = decode_literal(text)) << text;
    EXPECT_EQ(value, expected) << text << " gave " << to_json(value);
  }
}

TEST(Literal, Dicts) {
  EXPECT_EQ(to_json(decode_literal("{'names': ['a'], 'itemsize': 4, 1: None,}")),
            "{\"1\":null,\"itemsize\":4,\"names\":[\"a\"]}");
  EXPECT_EQ(decode_literal("{}"), Value(Map{}));
  EXPECT_EQ(to_json(decode_literal("{'a': 1, 'a': 2}")), "{\"a\":2}");
}

TEST(Literal, RefusesAllElse) {
  for (const char* bad : {"",
                          " ",
                          "[",
                          "]",
                          "[1",
                          "[1 2]",
                          "[,]",
                          "[1,,2]",
                          "(,)",
                          "{1}",
                          "{1:}",
                          "{1 2}",
                          "{,}",
                          "{1:2 3:4}",
                          "nan",
                          "inf",
                          "-inf",
                          "true",
                          "none",
                          "1 2",
                          "1,",
                          "--1",
                          "+-1",
                          "-",
                          "1.2.3",
                          "1e",
                          "0x",
                          "0xg",
                          "0x-1",
                          "0z1",
                          "07",
                          "1_",
                          "1__0",
                          "_1",
                          "1j",
                          "1e999",
                          "f'a'",
                          "ub'a'",
                          "'a",
                          "'a\\'",
                          "'a\nb'",
                          "'''a'''",
                          "'\\x4'",
                          "'\\u12'",
                          "'\\U00110000'",
                          "'\\N{DASH}'",
                          "'a' b'b'",
                          "a",
                          "a.b",
                          "f()",
                          "__import__('os')",
                          "[i for i in 'a']",
                          "1 + 1",
                          "'\xff'",
                          "-True",
                          "-'a'",
                          "0xffffffffffffffffff"}) {
    SCOPED_TRACE(bad);
    expect_error(ErrorKind::corruption, [&] { decode_literal(bad); });
  }
}

TEST(Literal, NamesThePosition) {
  expect_contains(expect_error(ErrorKind::corruption, [] { decode_literal("[1, oops]"); }),
                  "position 4");
}

TEST(Literal, Limits) {
  const DecodeLimits limits{.max_depth = 3, .max_items = 10, .max_bytes = 5};
  EXPECT_NO_THROW(decode_literal("[[[]]]", limits));
  expect_error(ErrorKind::unsupported, [&] { decode_literal("[[[[]]]]", limits); });
  expect_error(ErrorKind::unsupported,
               [&] { decode_literal("[1,1,1,1,1,1,1,1,1,1]", limits); });
  expect_error(ErrorKind::unsupported, [&] { decode_literal("'abcdef'", limits); });
  for (const char bracket : {'[', '(', '{'}) {
    expect_error(ErrorKind::unsupported,
                 [&] { decode_literal(std::string(100'000, bracket)); });
  }
}

}  // namespace
}  // namespace mlarray::encoding
