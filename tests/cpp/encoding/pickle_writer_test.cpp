#include <gtest/gtest.h>

#include <limits>

#include "encoding/pickle.hpp"
#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

Value nested(std::size_t depth) {
  Value value(1);
  for (std::size_t i = 0; i < depth; ++i) value = List{{value}};
  return value;
}

// data/make_pickles.py made the bytes independently and let Python read them.
TEST(PickleWriter, WritesTheBytesThatPythonVerified) {
  for (const auto& row : read_table("encoded.tsv")) {
    ASSERT_EQ(row.size(), 3u);
    const Value value = decode_pickle(bytes_of(from_hex(row[1])));
    EXPECT_EQ(to_hex(encode_pickle(value)), row[2]) << row[0];
  }
}

TEST(PickleWriter, RoundTrips) {
  int compared = 0;
  for (const auto& row : read_table("pickles.tsv")) {
    const Value value = decode_pickle(bytes_of(from_hex(row[2])));
    if (row[3].find("__class__") != std::string::npos || row[3].starts_with("class")) continue;
    const Value again = decode_pickle(bytes_of(encode_pickle(value)));
    EXPECT_EQ(to_json(again), to_json(value)) << row[0];
    if (row[3].find("NaN") == std::string::npos) {
      EXPECT_EQ(again, value) << row[0];
      ++compared;
    }
  }
  EXPECT_GT(compared, 100);
}

TEST(PickleWriter, RefusesWhatItCannotHold) {
  Map patient;
  patient.set("patient", List{{Value(1), Value(Opaque{"decimal.Decimal", {}})}});
  Map tree;
  tree.set("source", patient);
  const std::string message =
      expect_error(ErrorKind::unsupported, [&] { encode_pickle(tree); });
  expect_contains(message, "source.patient[1]");
  expect_contains(message, "decimal.Decimal");

  Map bad_text;
  bad_text.set("k", "\xff");
  expect_contains(expect_error(ErrorKind::invalid_value, [&] { encode_pickle(bad_text); }),
                  "k:");

  for (const Value& key : {Value(List{}), Value(Map{}), Value(List{{Value(List{})}, true})}) {
    Map map;
    map.items.emplace_back(key, Value(1));
    expect_contains(expect_error(ErrorKind::unsupported, [&] { encode_pickle(map); }), "key");
  }
  for (const char* bad : {"", "-", "1x", "0x10"}) {
    Map map;
    map.set("n", BigInt{bad});
    expect_contains(expect_error(ErrorKind::invalid_value, [&] { encode_pickle(map); }), "n:");
  }
  expect_error(ErrorKind::unsupported, [] { encode_pickle(BigInt{std::string(4301, '9')}); });
}

TEST(PickleWriter, WritesExactlyTheDepthThatIsRead) {
  const std::size_t limit = DecodeLimits{}.max_depth;
  EXPECT_EQ(decode_pickle(bytes_of(encode_pickle(nested(limit)))), nested(limit));
  expect_contains(
      expect_error(ErrorKind::unsupported, [&] { encode_pickle(nested(limit + 1)); }), "64");
}

}  // namespace
}  // namespace mlarray::encoding
