#include "frame/frame.hpp"

#include <gtest/gtest.h>

#include <random>

#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "mlarray/error.hpp"
#include "support/errors.hpp"

namespace mlarray::frame {
namespace {

std::vector<std::byte> some_bytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> out(count);
  for (std::byte& b : out) b = static_cast<std::byte>(random() & 0xff);
  return out;
}

// A file of two stored chunks and a chunk of zeros, with one metalayer of each kind.
std::vector<std::byte> sample_file() {
  Header header;
  header.typesize = 2;
  header.blocksize = 64;
  header.chunksize = 128;
  header.nbytes = 3 * 128;
  header.compressor = 2;
  header.level = 5;
  header.filters[5] = 1;
  header.metalayers.push_back({"b2nd", some_bytes(20, 1)});
  std::vector<std::byte> header_bytes = build_header(header);
  std::vector<std::byte> file = header_bytes;
  std::vector<IndexEntry> index(3);
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    index[i] = IndexEntry::at(file.size() - header.header_len);
    const auto chunk = codec::store_chunk(some_bytes(128, 5), 2, 64);
    file.insert(file.end(), chunk.begin(), chunk.end());
  }
  const auto value = codec::compress_bytes(some_bytes(50, 9), 1);
  const std::vector<VlMetalayer> vlmeta = {{"mlarray", {value, nullptr}}};
  const auto tail = build_tail(header, header_bytes, file.size(), index, vlmeta);
  file.insert(file.end(), tail.begin(), tail.end());
  std::copy(header_bytes.begin(), header_bytes.end(), file.begin());
  return file;
}

State read(std::vector<std::byte> file) {
  const auto source = io::from_memory(std::move(file), "test");
  return read_state(*source);
}

std::string error_of(std::vector<std::byte> file) {
  try {
    read(std::move(file));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Frame, ReadsBackWhatItBuilds) {
  const std::vector<std::byte> file = sample_file();
  const State state = read(file);
  EXPECT_EQ(state.seal, Seal::valid);
  EXPECT_EQ(state.header.frame_len, file.size());
  EXPECT_EQ(state.header.compressor, 2);
  EXPECT_EQ(state.header.level, 5);
  EXPECT_EQ(state.header.filters[5], 1);
  ASSERT_NE(state.header.find("b2nd"), nullptr);
  EXPECT_EQ(state.header.find("b2nd")->content, some_bytes(20, 1));
  ASSERT_EQ(state.index.size(), 3U);
  EXPECT_FALSE(state.index[0].is_special());
  EXPECT_TRUE(state.index[1].is_special());
  EXPECT_EQ(state.index[1].special(), 1U);
  ASSERT_EQ(state.vlmeta.size(), 1U);
  EXPECT_EQ(codec::decompress_bytes(state.vlmeta[0].chunk.data, 1000, {}), some_bytes(50, 9));
}

TEST(Frame, IgnoresBytesPastItsEnd) {
  std::vector<std::byte> file = sample_file();
  const std::size_t size = file.size();
  file.resize(size + 1000, std::byte{0xff});
  EXPECT_EQ(read(file).header.frame_len, size);
}

TEST(Frame, KnowsFilesOfOtherWritersByTheMissingSeal) {
  std::vector<std::byte> file = sample_file();
  std::fill(file.end() - 17, file.end(), std::byte{0});
  EXPECT_EQ(read(file).seal, Seal::absent);
}

TEST(Frame, ANewStateBecomesVisibleByTheFlipAlone) {
  std::vector<std::byte> file = sample_file();
  State state = read(file);
  std::vector<std::byte> header_bytes = state.header_bytes;
  std::vector<IndexEntry> index = state.index;
  index[0] = IndexEntry::of_special(2);
  const auto tail = build_tail(state.header, header_bytes, file.size(), index, {});
  file.insert(file.end(), tail.begin(), tail.end());
  EXPECT_FALSE(read(file).index[0].is_special()) << "before the flip: the old state";
  std::copy(header_bytes.begin() + kFlipBegin, header_bytes.begin() + kFlipEnd,
            file.begin() + kFlipBegin);
  const State flipped = read(file);
  EXPECT_EQ(flipped.index[0].special(), 2U);
  EXPECT_FALSE(flipped.header.has_vlmeta);
  EXPECT_EQ(flipped.seal, Seal::valid);
}

// A file in which a second state, with another index and without metadata, becomes valid.
struct Flip {
  std::vector<std::byte> half = sample_file();  // only the first of the two lengths
  std::vector<std::byte> whole;

  Flip() {
    State state = read(half);
    std::vector<std::byte> header_bytes = state.header_bytes;
    state.index[0] = IndexEntry::of_special(2);
    const auto tail = build_tail(state.header, header_bytes, half.size(), state.index, {});
    half.insert(half.end(), tail.begin(), tail.end());
    whole = half;
    const auto begin = header_bytes.begin() + kFlipBegin;
    std::copy(begin, begin + 8, half.begin() + kFlipBegin);
    std::copy(begin, header_bytes.begin() + kFlipEnd, whole.begin() + kFlipBegin);
  }
};

TEST(Frame, AHalfFlipIsNoticed) { EXPECT_NE(error_of(Flip().half), ""); }

// Half flipped when the header is read first, flipped afterwards.
class FlippingSource final : public io::ByteSource {
 public:
  std::uint64_t size() const override { return flip_.whole.size(); }
  void read_many(std::span<const io::Read> reads) const override {
    const std::vector<std::byte>& file = calls_++ == 0 ? flip_.half : flip_.whole;
    for (const io::Read& read : reads) {
      std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(read.offset), read.to.size(),
                  read.to.begin());
    }
  }
  bool are_cached(std::span<const std::uint64_t>) const override { return true; }
  void prefetch(std::span<const io::Range>) const override {}
  void refresh() override {}
  const std::string& name() const override { return name_; }

 private:
  Flip flip_;
  std::string name_ = "test";
  mutable int calls_ = 0;
};

TEST(Frame, AHalfFlipIsReadAgain) {
  for (const SealCheck check : {SealCheck::on, SealCheck::off}) {
    FlippingSource source;
    const State state = read_state(source, check);
    EXPECT_EQ(state.seal, check == SealCheck::on ? Seal::valid : Seal::unchecked);
    EXPECT_EQ(state.index[0].special(), 2U);
    EXPECT_TRUE(state.vlmeta.empty());
    EXPECT_FALSE(state.header.has_vlmeta);
  }
}

TEST(Frame, AnAnchorIsThereUntilTheFileIsCutOrOverwritten) {
  const std::vector<std::byte> file = sample_file();
  const State state = read(file);
  EXPECT_TRUE(state.anchor.is_sealed());
  const auto check = [&](std::vector<std::byte> now) {
    const auto source = io::from_memory(std::move(now), "test");
    check_anchor(*source, state.anchor);
  };
  check(file);
  check(Flip().whole);  // a later commit
  std::vector<std::byte> cut = file;
  cut.pop_back();
  EXPECT_ERROR(check(cut), ErrorKind::corruption, "'test' was cut short",
               std::to_string(cut.size()), std::to_string(file.size()), "open it again");
  std::vector<std::byte> other = file;
  other.back() ^= std::byte{1};
  EXPECT_ERROR(check(other), ErrorKind::corruption, "'test' was overwritten");
}

TEST(Frame, SaysWhatIsWrong) {
  EXPECT_NE(error_of({}).find("0 bytes"), std::string::npos);
  EXPECT_NE(error_of(std::vector<std::byte>(500)).find("Blosc2 frame"), std::string::npos);
  std::vector<std::byte> cut = sample_file();
  const std::string whole = std::to_string(cut.size());
  cut.pop_back();
  EXPECT_NE(error_of(cut).find("truncated"), std::string::npos);
  EXPECT_NE(error_of(cut).find(whole), std::string::npos);
}

TEST(Frame, EveryChangedByteOfHeaderIndexAndTrailerIsFound) {
  const std::vector<std::byte> good = sample_file();
  const State state = read(good);
  const std::size_t index_at =
      state.header.header_len + static_cast<std::size_t>(state.header.cbytes);
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at >= state.header.header_len && at < index_at) continue;  // the chunks
    std::vector<std::byte> bad = good;
    bad[at] ^= std::byte{0x10};
    EXPECT_NE(error_of(bad), "") << "byte " << at;
  }
}

// Without the seal nothing vouches for the bytes; still nothing but an Error may come of it.
TEST(Frame, SurvivesDamageWithoutASeal) {
  std::vector<std::byte> good = sample_file();
  std::fill(good.end() - 17, good.end(), std::byte{0});
  std::mt19937 random(11);
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::byte> bad = good;
    for (int n = 0; n < 1 + static_cast<int>(random() % 4); ++n) {
      bad[random() % bad.size()] = static_cast<std::byte>(random() & 0xff);
    }
    if (random() % 5 == 0) bad.resize(random() % bad.size());
    error_of(bad);
  }
}

TEST(Frame, ListsNoMoreEmptyChunksThanMemoryIsGoodFor) {
  EXPECT_NO_THROW(check_chunk_count(kMaxSparseChunks, 0));
  EXPECT_THROW(check_chunk_count(kMaxSparseChunks + 1, 0), Error);
  // With room for the header of each chunk, the file has paid for its index.
  const auto bytes = static_cast<std::uint64_t>(kMaxSparseChunks + 1) * 32;
  EXPECT_NO_THROW(check_chunk_count(kMaxSparseChunks + 1, bytes));
  EXPECT_THROW(check_chunk_count(kMaxSparseChunks + 1, bytes - 1), Error);

  std::vector<std::byte> file = sample_file();
  std::fill(file.end() - 17, file.end(), std::byte{0});
  store_big(std::span(file), kNbytesAt, (kMaxSparseChunks + 1) * 128);
  EXPECT_NE(error_of(file).find("at most 16777216"), std::string::npos) << error_of(file);
}

// Nobody can be half way through changing bytes in memory.
TEST(Frame, LooksOnceAtBytesThatCannotChange) {
  class Counted final : public io::ByteSource {
   public:
    explicit Counted(bool fixed) : fixed_(fixed) {}
    std::uint64_t size() const override { return 0; }
    void read_many(std::span<const io::Read>) const override {}
    bool are_cached(std::span<const std::uint64_t>) const override { return true; }
    void prefetch(std::span<const io::Range>) const override {}
    void refresh() override { ++looks; }
    bool is_fixed() const override { return fixed_; }
    const std::string& name() const override { return name_; }
    int looks = 1;

   private:
    bool fixed_;
    std::string name_ = "counted";
  };
  Counted fixed(true);
  EXPECT_THROW(read_state(fixed), Error);
  EXPECT_EQ(fixed.looks, 1);
  Counted file(false);
  EXPECT_THROW(read_state(file), Error);
  EXPECT_GT(file.looks, 1);
}

}  // namespace
}  // namespace mlarray::frame
