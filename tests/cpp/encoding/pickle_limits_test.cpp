// Pickles that would cost more than their size: all must end in an Error, and soon.
#include <gtest/gtest.h>

#include <chrono>

#include "encoding/pickle.hpp"
#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

constexpr DecodeLimits kTight{.max_depth = 64, .max_items = 100'000, .max_bytes = 1u << 20};

std::string repeat(std::string_view part, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += part;
  return out;
}

void expect_refused(const std::string& pickle, ErrorKind kind, std::string_view part,
                    const DecodeLimits& limits = kTight) {
  const auto start = std::chrono::steady_clock::now();
  expect_contains(expect_error(kind, [&] { decode_pickle(bytes_of(pickle), limits); }), part);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(PickleLimits, NestingEndsAtTheLimit) {
  const std::size_t depth = DecodeLimits{}.max_depth;
  EXPECT_NO_THROW(decode_pickle(bytes_of(repeat("(", depth) + repeat("l", depth) + ".")));
  for (const char* close : {"l", "t", "\x91"}) {
    for (const std::size_t deeper : {depth + 1, std::size_t{90'000}}) {
      expect_refused(repeat("(", deeper) + repeat(close, deeper) + ".", ErrorKind::unsupported,
                     "nested deeper than 64");
    }
  }
  // Objects around objects nest too, also where each becomes its content.
  const std::string deep_set =
      repeat("cbuiltins\nset\n", 20'000) + ")" + repeat("\x85R", 20'000);
  expect_refused(deep_set + ".", ErrorKind::unsupported, "nested deeper");
  const std::string deep_enum = repeat("ca\nB\n", 20'000) + "I1\n" + repeat("\x85R", 20'000);
  expect_refused(deep_enum + ".", ErrorKind::unsupported, "nested deeper");
  expect_refused("}" + repeat("(", 20'000) + "N" + repeat("t", 20'000) + "Ns.",
                 ErrorKind::unsupported, "nested deeper");
  const std::string states = repeat("ca\nB\n)\x81", 20'000) + repeat("b", 19'999);
  expect_refused(states + ".", ErrorKind::unsupported, "nested deeper");
}

// Each level mentions the one before it twice: 2^40 values from 300 bytes.
TEST(PickleLimits, DoublingReferences) {
  std::string pickle = "]q";
  pickle += '\0';
  for (char level = 0; level < 40; ++level) {
    pickle += std::string("]q") + char(level + 1) + "h" + level + "ah" + level + "a";
  }
  // The stack holds all lists; keep the last one.
  pickle = "(" + pickle + "t.";
  expect_refused(pickle, ErrorKind::unsupported, "more than 100000 values");
  expect_refused(pickle, ErrorKind::unsupported, "more than 4000000 values", {});
}

TEST(PickleLimits, TextThatIsMentionedOftenCountsEachTime) {
  const std::string text = "V" + repeat("x", 1000) + "\np0\n";
  expect_refused("(" + text + repeat("g0\n", 2000) + "t.", ErrorKind::unsupported,
                 "more than 1048576 bytes");
  // The same for text that stands for other things.
  const std::string decimal =
      "cpydicom.valuerep\nDSdecimal\n(V1." + repeat("0", 1000) + "\ntRp0\n";
  expect_refused("(" + decimal + repeat("g0\n", 2000) + "t.", ErrorKind::unsupported, "bytes");
  const std::string scalar =
      "cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(VS1000\ntRC"
      "\x01"
      "atRp0\n";
  EXPECT_NO_THROW(decode_pickle(bytes_of("(" + scalar + repeat("g0\n", 2000) + "t."), kTight));
  const std::string bytes = "c_codecs\nencode\n(V" + repeat("x", 1000) + "\nVlatin1\ntRp0\n";
  expect_refused("(" + bytes + repeat("g0\n", 2000) + "t.", ErrorKind::unsupported, "bytes");
}

TEST(PickleLimits, ClassNamesCannotGrow) {
  // Each step joins a long name to the one before it.
  std::string pickle = "Vm\nV" + repeat("n", 500) + "\n\x93p0\n0";
  for (int i = 0; i < 5; ++i) {
    pickle += "cbuiltins\ngetattr\n(g0\nV" + repeat("a", 300) + "\ntRp0\n0";
  }
  expect_refused(pickle + "g0\n.", ErrorKind::corruption, "class name");
  // Nor does a long text cost a copy for each attempt.
  expect_refused("V" + repeat("x", 900'000) + "\np0\n0g0\ng0\n\x93.", ErrorKind::corruption,
                 "class name");
}

TEST(PickleLimits, ArgumentsThatAreSharedCountForEachObject) {
  // Without an end: the limit must come before that is found.
  const std::string tuple = "(" + repeat("N", 50'000) + "tp0\n0";
  expect_refused(tuple + "(" + repeat("ca\nB\ng0\nR", 5'000), ErrorKind::unsupported,
                 "more than 100000 values");
}

TEST(PickleLimits, ContainersInsideThemselves) {
  for (const char* pickle : {
           "]q\x01h\x01"
           "a.",                              // a list in itself
           "}q\x01Nh\x01s.",                  // a dict as its own value
           "]q\x01(h\x01ta.",                 // through a tuple
           "ca\nB\n)\x81q\x01}Vx\nh\x01sb.",  // through the state of an object
           "ccollections\nOrderedDict\n)Rq\x01Nh\x01s.",
       }) {
    expect_refused(pickle, ErrorKind::corruption, "inside itself");
  }
  // The same list twice is no cycle.
  EXPECT_EQ(decode_pickle(bytes_of("(]p0\ng0\nt.")),
            Value(List{{Value(List{}), Value(List{})}, true}));
}

TEST(PickleLimits, CountsOnTheWay) {
  for (const std::string& pickle :
       {repeat("N", 150'000), repeat("(", 150'000), repeat(")", 150'000),
        "N" + repeat("\x94", 150'000), "N" + repeat("2", 150'000), repeat("}0", 150'000)}) {
    expect_refused(pickle + ".", ErrorKind::unsupported, "more than 100000 ");
  }
}

TEST(PickleLimits, LongIntegers) {
  const std::string longest = repeat("9", 4300);
  EXPECT_EQ(decode_pickle(bytes_of("L" + longest + "L\n.")), Value(BigInt{longest}));
  expect_refused("L" + longest + "9L\n.", ErrorKind::unsupported, "4300 digits");
  using namespace std::string_literals;
  expect_refused("\x8b\x00\x00\x01\x00"s + repeat("\x7f", 65536) + ".", ErrorKind::unsupported,
                 "");
}

}  // namespace
}  // namespace mlarray::encoding
