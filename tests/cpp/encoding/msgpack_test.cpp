// Golden bytes are what Python's msgpack.packb writes.
#include "encoding/msgpack.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

Value decode_hex(std::string_view hex) { return decode_msgpack(bytes_of(from_hex(hex))); }

std::string hex_of_repeated(std::string_view head, std::string_view part, std::size_t count) {
  std::string out(head);
  for (std::size_t i = 0; i < count; ++i) out += part;
  return out;
}

TEST(Msgpack, AgreesWithPython) {
  Map map;
  map.set("a",
          List{{1, -1, -33, 200, 70000, std::int64_t{1} << 40, BigInt{"18446744073709551615"},
                -200, -40000, -(std::int64_t{1} << 40), 1.5, Value(), true, false}});
  Map keys;
  keys.items = {{Value(1), Value("a")}, {Value(), Value(2)}};
  List twenty;
  for (int i = 0; i < 20; ++i) twenty.items.emplace_back(i);
  const std::pair<Value, std::string> cases[] = {
      {map,
       "81a1619e01ffd0dfccc8ce00011170cf0000010000000000cfffffffffffffffffd1ff38d2ffff63c0d3fff"
       "fff"
       "0000000000cb3ff8000000000000c0c3c2"},
      {std::string(40, 'x'), hex_of_repeated("d928", "78", 40)},
      {std::string(300, 'x'), hex_of_repeated("da012c", "78", 300)},
      {Bytes{"bbb"}, "c403626262"},
      {Bytes{std::string(300, 'c')}, hex_of_repeated("c5012c", "63", 300)},
      {"\xc3\xa9", "a2c3a9"},
      {keys, "8201a161c002"},
      {List{}, "dd00000001a95f5f7475706c655f5f"},
      {twenty, "dc0014000102030405060708090a0b0c0d0e0f10111213"},
  };
  for (const auto& [value, hex] : cases) {
    EXPECT_EQ(to_hex(encode_msgpack(value)), hex);
    EXPECT_EQ(decode_hex(hex), value);
  }
  EXPECT_EQ(to_hex(encode_msgpack(List{{Value(1), Value(2)}, true})), "920102");  // a tuple
}

TEST(Msgpack, EveryCode) {
  const std::pair<const char*, Value> cases[] = {
      {"00", 0},
      {"7f", 127},
      {"e0", -32},
      {"ff", -1},
      {"cc80", 128},
      {"cd0100", 256},
      {"ce00010000", 65536},
      {"cf7fffffffffffffff", std::numeric_limits<std::int64_t>::max()},
      {"cf8000000000000000", BigInt{"9223372036854775808"}},
      {"d080", -128},
      {"d18000", -32768},
      {"d280000000", std::int64_t{-2147483648}},
      {"d38000000000000000", std::numeric_limits<std::int64_t>::min()},
      {"ca3fc00000", 1.5},
      {"cbbff8000000000000", -1.5},
      {"c0", {}},
      {"c2", false},
      {"c3", true},
      {"a0", ""},
      {"a161", "a"},
      {"d90161", "a"},
      {"da000161", "a"},
      {"db0000000161", "a"},
      {"c400", Bytes{}},
      {"c40161", Bytes{"a"}},
      {"c5000161", Bytes{"a"}},
      {"c60000000161", Bytes{"a"}},
      {"90", List{}},
      {"9101", List{{Value(1)}}},
      {"dc000101", List{{Value(1)}}},
      {"dd0000000101", List{{Value(1)}}},
      {"80", Map{}},
      {"810102", Map{{{Value(1), Value(2)}}}},
      {"de00010102", Map{{{Value(1), Value(2)}}}},
      {"df000000010102", Map{{{Value(1), Value(2)}}}},
      {"a3eda080", "\xed\xa0\x80"},
      {"d6ff00000001",
       Opaque{"msgpack.ext", {Value(-1), Value(Bytes{std::string("\0\0\0\1", 4)})}}},
      {"c701ff61", Opaque{"msgpack.ext", {Value(-1), Value(Bytes{"a"})}}},
  };
  for (const auto& [hex, value] : cases) EXPECT_EQ(decode_hex(hex), value) << hex;
  const Value nan = decode_hex("cb7ff8000000000000");
  EXPECT_TRUE(std::isnan(*nan.get_if<double>()));
  EXPECT_EQ(to_json(decode_hex("82a16101a16102")), "{\"a\":2}");  // the last of two equal keys
}

TEST(Msgpack, RefusesDamage) {
  for (const char* hex : {"", "c1", "0000", "cc", "cd00", "cbff", "a2ff61", "a161ff", "a1",
                          "91", "8101", "dd7fffffff00", "ddffffffff00", "dfffffffff0000",
                          "dbffffffff61", "c6ffffffff61", "c7", "a1ff", "d6ff000000"}) {
    SCOPED_TRACE(hex);
    expect_error(ErrorKind::corruption, [&] { decode_hex(hex); });
  }
  for (const char* hex : {"d40561", "c7012a61", "d8010000000000000000000000000000000000"}) {
    expect_contains(expect_error(ErrorKind::unsupported, [&] { decode_hex(hex); }),
                    "extension type");
  }
}

TEST(Msgpack, Limits) {
  const DecodeLimits limits{.max_depth = 3, .max_items = 10, .max_bytes = 5};
  const auto decode = [&](std::string_view hex) {
    return decode_msgpack(bytes_of(from_hex(hex)), limits);
  };
  EXPECT_NO_THROW(decode("91919101"));
  expect_error(ErrorKind::unsupported, [&] { decode("9191919101"); });
  expect_error(ErrorKind::unsupported, [&] { decode("9a01010101010101010101"); });
  expect_error(ErrorKind::unsupported, [&] { decode("a6616161616161"); });
  expect_error(ErrorKind::unsupported, [&] { decode("93c4026161c4026161c4026161"); });
  expect_error(ErrorKind::unsupported,
               [&] { decode_msgpack(bytes_of(std::string(100'000, '\x91'))); });
}

TEST(Msgpack, RefusesWhatItCannotHold) {
  const auto message_for = [](Value value) {
    Map patient;
    patient.set("patient", List{{Value(1), Value(2), Value(3), std::move(value)}});
    Map tree;
    tree.set("source", patient);
    const std::string message =
        expect_error(ErrorKind::unsupported, [&] { encode_msgpack(tree); });
    expect_contains(message, "source.patient[3]");
    return message;
  };
  expect_contains(message_for(BigInt{"18446744073709551616"}), "18446744073709551616");
  message_for(BigInt{"-9223372036854775809"});
  message_for("\xed\xa0\x80");
  message_for("\xff");
  expect_contains(message_for(Opaque{"decimal.Decimal", {}}), "decimal.Decimal");
  EXPECT_EQ(to_hex(encode_msgpack(BigInt{"9223372036854775808"})), "cf8000000000000000");
}

TEST(Msgpack, WritesExactlyTheDepthThatIsRead) {
  Value value(1);
  for (std::size_t i = 0; i < DecodeLimits{}.max_depth; ++i) value = List{{value}};
  EXPECT_EQ(decode_msgpack(bytes_of(encode_msgpack(value))), value);
  expect_error(ErrorKind::unsupported, [&] { encode_msgpack(List{{value}}); });
}

TEST(Msgpack, BinPayload) {
  for (const std::size_t size : {0u, 1u, 255u, 256u, 65535u, 65536u}) {
    const std::string payload(size, 'p');
    const std::string packed = encode_msgpack_bin(bytes_of(payload));
    EXPECT_EQ(decode_msgpack(bytes_of(packed)), Value(Bytes{payload}));
    const auto found = msgpack_bin_payload(bytes_of(packed));
    EXPECT_EQ(found.size(), size);
    EXPECT_EQ(reinterpret_cast<const char*>(found.data()),
              packed.data() + packed.size() - size);
    const std::string longer = packed + "x";
    expect_error(ErrorKind::corruption, [&] { msgpack_bin_payload(bytes_of(longer)); });
    expect_error(ErrorKind::corruption, [&] {
      msgpack_bin_payload(bytes_of(std::string_view(packed).substr(0, packed.size() - 1)));
    });
  }
  EXPECT_EQ(msgpack_bin_payload(bytes_of("\x81\xa1"
                                         "a\x01"))
                .data(),
            nullptr);
  expect_error(ErrorKind::corruption, [] { msgpack_bin_payload({}); });
}

}  // namespace
}  // namespace mlarray::encoding
