// Pickles made by Python (data/make_pickles.py) against what they must become.
#include <gtest/gtest.h>

#include <filesystem>

#include "encoding/pickle.hpp"
#include "encoding/support.hpp"

namespace mlarray::encoding {
namespace {

Value decode(std::string_view pickle) { return decode_pickle(bytes_of(pickle)); }

TEST(PickleReader, ReadsWhatPythonWrites) {
  for (const auto& row : read_table("pickles.tsv")) {
    ASSERT_EQ(row.size(), 4u);
    SCOPED_TRACE(row[0] + ", protocol " + row[1]);
    const std::string& expected = row[3];
    Value value;
    ASSERT_NO_THROW(value = decode(from_hex(row[2])));
    if (expected.starts_with("class")) {
      ASSERT_NE(value.get_if<Opaque>(), nullptr) << to_json(value);
      if (expected.size() > 6) {
        EXPECT_EQ(value.type_name(), expected.substr(6));
      }
    } else {
      EXPECT_EQ(to_json(value), expected);
    }
  }
}

TEST(PickleReader, RunsNothing) {
  std::filesystem::remove("mlarray-pickle-was-run");
  for (const auto& row : read_table("pickles.tsv")) {
    if (row[0].starts_with("exploit")) decode(from_hex(row[2]));
  }
  EXPECT_FALSE(std::filesystem::exists("mlarray-pickle-was-run"));
}

TEST(PickleReader, TellsTuplesFromLists) {
  EXPECT_EQ(decode("(I1\nt."), Value(List{{Value(1)}, true}));
  EXPECT_EQ(decode("(I1\nl."), Value(List{{Value(1)}, false}));
  EXPECT_EQ(decode(")."), Value(List{{}, true}));
  EXPECT_EQ(decode("(I1\n\x91."), Value(List{{Value(1)}, false}));  // frozenset
}

TEST(PickleReader, KeepsTheTypesOfNumbers) {
  EXPECT_EQ(decode("I1\n."), Value(1));
  EXPECT_EQ(decode("F1\n."), Value(1.0));
  EXPECT_EQ(decode("I01\n."), Value(true));
  EXPECT_EQ(decode("\x88."), Value(true));
  EXPECT_EQ(decode("L9223372036854775808L\n."), Value(BigInt{"9223372036854775808"}));
  EXPECT_EQ(decode("L-9223372036854775808L\n."),
            Value(std::numeric_limits<std::int64_t>::min()));
}

TEST(PickleReader, RefusesWhatNeedsMoreThanTheData) {
  for (const char* pickle : {"Pid\n.", "I1\nQ.", "\x82\x01.", "\x83\x01\x01.",
                             "\x84\x01\x01\x01\x01.", "\x97.", "]\x98."}) {
    SCOPED_TRACE(to_hex(pickle));
    expect_error(ErrorKind::unsupported, [&] { decode(pickle); });
  }
  expect_contains(expect_error(ErrorKind::unsupported, [] { decode("\x80\x06N."); }),
                  "protocol 6");
  // What the call of a call would be is not known.
  expect_contains(
      expect_error(ErrorKind::unsupported, [] { decode("cfunctools\npartial\n)R)R."); }),
      "functools.partial");
}

TEST(PickleReader, RefusesWhatIsNoPickle) {
  using namespace std::string_literals;
  const std::string cases[] = {
      "",                 // nothing
      ".",                // nothing on the stack
      "N",                // no STOP
      "NN.",              // two values
      "(N.",              // an open mark
      "N.N",              // bytes after the end
      "\xff.",            // unknown opcode
      "0.",               // pop of nothing
      "1.",               // no mark
      "t.",               // no mark
      "(I1\nI2\nI3\nd.",  // a key without a value
      "}(I1\nu.",         // a key without a value
      "I1\nI2\na.",       // an item for an int
      "]I1\nI2\ns.",      // an entry for a list
      "]}b.",             // a state for a list
      "(I1\n(a.",         // an item on the other side of a mark
      "h\x00."s,          // nothing remembered
      "g9\n.",            // nothing remembered
      "gx\n.",            // no number
      "q\x00."s,          // nothing to remember
      "I1x\n.",
      "Lx\n.",
      "F1.5x\n.",
      "F\n.",
      "I\n.",
      "S'a\n.",
      "Sa\n.",
      "S'\\x4'\n.",  // strings without an end, with a bad escape
      "V\\u12\n.",
      "V\\U00110000\n.",              // bad escapes
      "X\x02\x00\x00\x00\xff\xfe."s,  // no UTF-8
      "X\xff\xff\xff\xff"
      "a.",  // longer than the data
      "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
      "a.",
      "\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"
      "a.",
      "\x95\xff\x00\x00\x00\x00\x00\x00\x00N."s,  // a frame longer than the data
      "\x8b\xff\xff\xff\x7f"
      "a.",
      "I1\n)R.",
      "I1\n)\x81.",     // called: no class
      "ca\nb\nI1\nR.",  // arguments: no tuple
      "I1\nI2\n\x93.",  // a class named by numbers
      "(o.",
      "ca\nb",                                   // no class, no end
      "ca\nb\n)I1\n\x92.",                       // keywords: no dict
      "ccollections\nOrderedDict\n((lI1\natR.",  // an entry that is no pair
  };
  for (const std::string& pickle : cases) {
    SCOPED_TRACE(to_hex(pickle));
    expect_error(ErrorKind::corruption, [&] { decode(pickle); });
  }
}

TEST(PickleReader, SaysWhere) {
  expect_contains(expect_error(ErrorKind::corruption, [] { decode("NNNh\x07."); }),
                  "memo entry 7 is not there at byte 5");
}

}  // namespace
}  // namespace mlarray::encoding
