// Damaged pickles: a value or an Error, never anything else, and never long.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "encoding/literal.hpp"
#include "encoding/msgpack.hpp"
#include "encoding/pickle.hpp"
#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

constexpr DecodeLimits kSmall{.max_depth = 64, .max_items = 20'000, .max_bytes = 1u << 18};

// Decodes and uses the value; anything but an Error fails the test.
template <class Decode>
void survive(Decode decode) {
  try {
    const Value value = decode();
    to_json(value);
    EXPECT_TRUE(value == value || to_json(value).find("NaN") != std::string::npos);
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::corruption || error.kind() == ErrorKind::unsupported)
        << error.what();
  }
}

std::vector<std::string> short_pickles() {
  std::vector<std::string> out;
  for (const auto& row : read_table("pickles.tsv")) {
    if (row[2].size() < 2 * 600) out.push_back(from_hex(row[2]));
  }
  return out;
}

TEST(PickleDamage, EveryTruncation) {
  for (const std::string& pickle : short_pickles()) {
    for (std::size_t size = 0; size < pickle.size(); ++size) {
      const std::string_view part = std::string_view(pickle).substr(0, size);
      expect_error(ErrorKind::corruption, [&] { decode_pickle(bytes_of(part), kSmall); });
    }
  }
}

TEST(PickleDamage, RandomBytes) {
  const std::vector<std::string> pickles = short_pickles();
  std::mt19937_64 random(20261123);
  for (int round = 0; round < 40'000; ++round) {
    std::string pickle = pickles[random() % pickles.size()];
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % pickle.size();
      switch (random() % 3) {
        case 0:
          pickle[at] = static_cast<char>(random());
          break;
        case 1:
          pickle.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          pickle[at] = pickle[random() % pickle.size()];
          break;
      }
    }
    survive([&] { return decode_pickle(bytes_of(pickle), kSmall); });
  }
}

TEST(PickleDamage, RandomOpcodes) {
  constexpr std::string_view kOpcodes =
      ".(012NI\n0\nK\x01J]l)t}dasue\x85\x86\x87\x88\x89\x8f\x90\x91\x81\x92\x93"
      "Robhqp0\ng0\n\x94\x8c\x01xC\x01y"
      "cbuiltins\nset\ncnumpy\ndtype\n";
  std::mt19937_64 random(7);
  for (int round = 0; round < 40'000; ++round) {
    std::string pickle;
    for (auto size = random() % 60; size > 0; --size) {
      const std::size_t at = random() % kOpcodes.size();
      pickle += kOpcodes.substr(at, 1 + random() % 4);
    }
    pickle += '.';
    survive([&] { return decode_pickle(bytes_of(pickle), kSmall); });
  }
}

TEST(PickleDamage, OtherDecodersToo) {
  Map map;
  map.set("a", List{{Value(1), Value(-1e9), Value(1.5), Value("text"), Value(Bytes{"b"})}});
  map.set("b", BigInt{"18446744073709551615"});
  const std::string msgpack = encode_msgpack(map);
  const std::string literal =
      "{'a': [1, -2.5e3, 'x\\u00e9', b'\\xff', (1,), None, 0x1f], 2: True}";
  for (std::size_t size = 0; size < msgpack.size(); ++size) {
    const std::string_view part = std::string_view(msgpack).substr(0, size);
    expect_error(ErrorKind::corruption, [&] { decode_msgpack(bytes_of(part), kSmall); });
  }
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string bad_msgpack = msgpack;
    bad_msgpack[random() % msgpack.size()] = static_cast<char>(random());
    survive([&] { return decode_msgpack(bytes_of(bad_msgpack), kSmall); });
    std::string bad_literal = literal;
    bad_literal[random() % literal.size()] = literal[random() % literal.size()];
    if (round % 2 == 0) bad_literal[random() % literal.size()] = static_cast<char>(random());
    survive([&] { return decode_literal(bad_literal, kSmall); });
  }
}

}  // namespace
}  // namespace mlarray::encoding
