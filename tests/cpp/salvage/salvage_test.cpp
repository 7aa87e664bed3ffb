// Each kind of damage by itself, and what is saved of it. Many at once: salvage_campaign_test.
#include "mlarray/salvage.hpp"

#include <gtest/gtest.h>

#include "codec/chunk_format.hpp"
#include "codec/encoder.hpp"
#include "io/file.hpp"
#include "io/system_calls.hpp"
#include "salvage/history.hpp"
#include "salvage/metadata.hpp"
#include "salvage/scan.hpp"
#include "salvage/states.hpp"
#include "support/errors.hpp"

namespace mlarray {
namespace {

using test::Commit;
using test::FileBytes;
using test::History;
using test::int16;
using test::load_bytes;
using test::read_all;
using test::store_bytes;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::write;

// A history whose last state of the file is damaged by `change` and salvaged.
struct Trial {
  History history;
  std::filesystem::path bad = history.dir.path() / "bad.mla";
  std::filesystem::path good = history.dir.path() / "good.mla";

  explicit Trial(int edits = 2) : history(edits) {}

  SalvageReport salvage(const SalvageOptions& options = {}) {
    store_bytes(bad, history.bytes);
    return mlarray::salvage(bad, good, options);
  }
  void zero(std::size_t start, std::size_t length) {
    for (std::size_t i = start; i < start + length; ++i) history.bytes[i] = 0;
  }
  // The voxels of a commit, with what is lost of them filled.
  std::vector<std::int16_t> expected(const Commit& commit, const SalvageReport& report,
                                     std::int16_t fill = 0) const {
    Voxels out = history.voxels;
    out.data = commit.voxels;
    for (const Damage& place : report.lost) {
      const auto count = static_cast<std::size_t>(element_count(place.voxels.shape()));
      out.put(place.voxels, std::vector<std::int16_t>(count, fill));
    }
    return out.data;
  }
  std::vector<std::int16_t> saved() const { return read_all(Array::open(good)); }
};

bool says(const SalvageReport& report, const std::string& part) {
  for (const std::string& note : report.notes) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

TEST(Salvage, AWholeFileIsSavedAsItIs) {
  Trial trial;
  const SalvageReport report = trial.salvage();
  EXPECT_TRUE(report.verified());
  EXPECT_EQ(report.lost_voxels, 0);
  EXPECT_EQ(report.verified_voxels, report.voxels);
  EXPECT_EQ(report.voxels, 40 * 36 * 33);
  EXPECT_EQ(report.shape, (Shape{40, 36, 33}));
  EXPECT_EQ(report.dtype, int16());
  ASSERT_EQ(report.states.size(), 3u);
  EXPECT_EQ(report.state, 0u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(report.states[i].sealed);
    EXPECT_EQ(report.states[i].named, i == 0);
    EXPECT_EQ(report.states[i].offset, trial.history.commits[2 - i].begin);
    EXPECT_EQ(report.states[i].end, trial.history.commits[2 - i].end);
  }
  EXPECT_EQ(report.metadata, SalvagedMetadata::verified);
  const Array array = Array::open(trial.good);
  EXPECT_EQ(read_all(array), trial.history.commits.back().voxels);
  EXPECT_EQ(array.metadata().spacing(), (std::vector<double>{1.5, 2.0, 3.0}));
  EXPECT_EQ(array.chunk_shape(), (Shape{16, 16, 16}));
  EXPECT_EQ(array.block_shape(), (Shape{8, 8, 16}));
  EXPECT_TRUE(array.verify().verified());
}

TEST(Salvage, NothingIsOverwrittenAndTheDamagedFileStays) {
  Trial trial;
  trial.zero(trial.history.commits.back().begin, 100);
  store_bytes(trial.bad, trial.history.bytes);
  store_bytes(trial.good, {'x'});
  EXPECT_ERROR(salvage(trial.bad, trial.good), ErrorKind::invalid_use, trial.good.string(),
               "exists", "name another path");
  EXPECT_EQ(load_bytes(trial.good), FileBytes{'x'});
  EXPECT_ERROR(salvage(trial.bad, trial.bad), ErrorKind::invalid_use, trial.bad.string(),
               "is the damaged file");
  std::filesystem::create_hard_link(trial.bad, trial.history.dir.path() / "link.mla");
  EXPECT_ERROR(salvage(trial.bad, trial.history.dir.path() / "link.mla"),
               ErrorKind::invalid_use, "is the damaged file");
  std::filesystem::remove(trial.good);
  salvage(trial.bad, trial.good);
  EXPECT_EQ(load_bytes(trial.bad), trial.history.bytes);
  EXPECT_EQ(trial.history.dir.names(),
            (std::vector<std::string>{"a.mla", "bad.mla", "good.mla", "link.mla"}));
}

TEST(Salvage, AFileThatCameMeanwhileStays) {
  Trial trial;
  SalvageOptions options;
  options.progress = [&](std::int64_t, std::int64_t) { store_bytes(trial.good, {'x'}); };
  EXPECT_ERROR(trial.salvage(options), ErrorKind::invalid_use, "exists by now");
  EXPECT_EQ(load_bytes(trial.good), FileBytes{'x'});
}

#ifndef _WIN32
// A file that comes in the last moment, when whoever looks would still find none.
class Racing final : public io::SystemCalls {
 public:
  explicit Racing(std::filesystem::path good) : good_(std::move(good)) {}
  int rename(const char* from, const char* to) override {
    store_bytes(good_, {'x'});
    return SystemCalls::rename(from, to);
  }
  int rename_new(const char* from, const char* to) override {
    store_bytes(good_, {'x'});
    return SystemCalls::rename_new(from, to);
  }

 private:
  std::filesystem::path good_;
};

TEST(Salvage, AFileThatComesInTheLastMomentStays) {
  Trial trial;
  Racing calls(trial.good);
  const io::ScopedSystemCalls scope(calls);
  EXPECT_ERROR(trial.salvage(), ErrorKind::invalid_use, "exists by now");
  EXPECT_EQ(load_bytes(trial.good), FileBytes{'x'});
}
#endif

TEST(Salvage, WithoutATargetNothingIsWritten) {
  Trial trial;
  store_bytes(trial.bad, trial.history.bytes);
  EXPECT_TRUE(salvage(trial.bad).verified());
  EXPECT_EQ(trial.history.dir.names(), (std::vector<std::string>{"a.mla", "bad.mla"}));
}

TEST(Salvage, EndsWhenProgressThrows) {
  Trial trial;
  SalvageOptions options;
  options.progress = [](std::int64_t done, std::int64_t total) {
    EXPECT_LE(done, total);
    throw Error(ErrorKind::invalid_use, "enough");
  };
  EXPECT_ERROR(trial.salvage(options), ErrorKind::invalid_use, "enough");
  EXPECT_FALSE(std::filesystem::exists(trial.good));
}

// Before a chunk is looked at, after, and while the new file is written and read back.
TEST(Salvage, EndsWhereverProgressThrows) {
  Trial trial;
  int calls = 0;
  int searching = 0;
  SalvageOptions options;
  options.threads = 1;
  options.progress = [&](std::int64_t done, std::int64_t) {
    ++calls;
    if (done == 0) ++searching;
  };
  trial.salvage(options);
  EXPECT_GT(searching, 0);
  // 27 chunks, some of them zeros: looked at, written, read back.
  EXPECT_GT(calls - searching, 2 * 27);
  std::filesystem::remove(trial.good);
  for (const int last : {1, searching, searching + 3, calls - 20, calls}) {
    int left = last;
    options.progress = [&](std::int64_t, std::int64_t) {
      if (--left == 0) throw Error(ErrorKind::invalid_use, "enough");
    };
    EXPECT_ERROR(trial.salvage(options), ErrorKind::invalid_use, "enough");
    EXPECT_EQ(trial.history.dir.names(), (std::vector<std::string>{"a.mla", "bad.mla"}));
  }
}

TEST(Salvage, OfWhatIsNoFileOfOurs) {
  const TempDir dir;
  const auto path = dir / "a.mla";
  EXPECT_ERROR(salvage(path), ErrorKind::not_found, path.string());
  store_bytes(path, {});
  EXPECT_ERROR(salvage(path), ErrorKind::corruption, path.string(), "header is lost");
  store_bytes(path, FileBytes(100000, 'x'));
  EXPECT_ERROR(salvage(path), ErrorKind::corruption, path.string(), "--like");
  FileBytes nrrd = {'N', 'R', 'R', 'D'};
  nrrd.resize(500);
  store_bytes(path, nrrd);
  EXPECT_ERROR(salvage(path), ErrorKind::unsupported, path.string(), "NRRD");
}

// --- the tail --------------------------------------------------------------------------------

TEST(Salvage, ADamagedTailLeavesTheStateBefore) {
  Trial trial;
  const Commit& last = trial.history.commits[2];
  trial.zero(last.begin, last.end - last.begin);
  const SalvageReport report = trial.salvage();
  EXPECT_EQ(report.states.size(), 2u);
  EXPECT_TRUE(report.states[*report.state].sealed);
  EXPECT_EQ(report.states[*report.state].offset, trial.history.commits[1].begin);
  EXPECT_TRUE(report.newer_lost);
  EXPECT_FALSE(report.complete());
  EXPECT_TRUE(says(report, "names a newer commit"));
  EXPECT_EQ(report.lost_voxels, 0);
  EXPECT_EQ(trial.saved(), trial.history.commits[1].voxels);
}

TEST(Salvage, AStateThatWasWrittenAndNotNamedIsTaken) {
  Trial trial;
  const FileBytes newer = trial.history.bytes;
  // As if the power had gone before the flip.
  const Commit& second = trial.history.commits[1];
  const auto bytes = std::as_writable_bytes(std::span(trial.history.bytes));
  frame::store_big(bytes, frame::kFrameLenAt, static_cast<std::uint64_t>(second.end));
  frame::store_big(bytes, frame::kCbytesAt,
                   static_cast<std::int64_t>(second.begin - trial.history.header_len));
  const SalvageReport report = trial.salvage();
  EXPECT_EQ(report.state, 0u);
  EXPECT_TRUE(report.verified());
  EXPECT_TRUE(says(report, "the header names an older one"));
  EXPECT_EQ(trial.saved(), trial.history.commits[2].voxels);
  // With its tail cut, it never was; what the header names is all there is.
  trial.history.bytes.resize(trial.history.commits[2].end - 5);
  std::filesystem::remove(trial.good);
  const SalvageReport older = trial.salvage();
  EXPECT_TRUE(older.verified());
  EXPECT_EQ(trial.saved(), second.voxels);
}

TEST(Salvage, AnyByteOfHeaderIndexAndTrailerIsMended) {
  Trial trial(1);
  const FileBytes whole = trial.history.bytes;
  const Commit& last = trial.history.commits.back();
  std::mt19937 random(3);
  const auto try_at = [&](std::size_t place) {
    trial.history.bytes = whole;
    trial.history.bytes[place] =
        static_cast<char>(trial.history.bytes[place] ^ static_cast<char>(1 + random() % 255));
    std::filesystem::remove(trial.good);
    const SalvageReport report = trial.salvage({.level = CommitLevel::none});
    EXPECT_EQ(report.lost_voxels, 0) << place;
    EXPECT_FALSE(report.newer_lost) << place;
    EXPECT_EQ(trial.saved(), last.voxels) << place;
    return report;
  };
  // But bytes of its lengths, which say nothing that is not known, every byte of the header.
  for (std::size_t place = 0; place < trial.history.header_len; place += 3) {
    EXPECT_TRUE(try_at(place).verified()) << place;
  }
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(try_at(last.begin + random() % (last.end - 16 - last.begin)).verified());
  }
}

// The header does not say where the newest commit ends, and the newest one is not to be found.
TEST(Salvage, BytesBehindTheCommitTakenMayHaveBeenANewerOne) {
  Trial trial;
  const Commit& second = trial.history.commits[1];
  const Commit& third = trial.history.commits[2];
  trial.zero(0, 40);
  trial.history.bytes.resize(third.begin);  // its chunks are still there
  const SalvageReport report = trial.salvage();
  EXPECT_EQ(report.states[*report.state].offset, second.begin);
  EXPECT_TRUE(report.may_be_older);
  EXPECT_FALSE(report.verified());
  EXPECT_TRUE(report.complete());
  EXPECT_TRUE(says(report, std::to_string(third.begin - second.end) + " bytes follow"));
  // Without such bytes there is nothing to be said.
  std::filesystem::remove(trial.good);
  trial.history.bytes.resize(second.end);
  EXPECT_TRUE(trial.salvage().verified());
}

// What a killed writer left was not committed: the header says so, and others may be damaged.
TEST(Salvage, BytesBehindTheCommitThatTheHeaderNamesWereNotCommitted) {
  Trial trial;
  trial.history.bytes.insert(trial.history.bytes.end(), 500, 'x');
  trial.history.bytes[100] ^= 1;
  const SalvageReport report = trial.salvage();
  EXPECT_TRUE(report.verified());
  EXPECT_FALSE(report.may_be_older);
}

TEST(Salvage, AFlippedBitOfTheSealIsNoDamage) {
  Trial trial;
  trial.history.bytes[trial.history.commits[2].end - 7] ^= 4;
  const SalvageReport report = trial.salvage();
  EXPECT_TRUE(report.verified());
  EXPECT_EQ(trial.saved(), trial.history.commits[2].voxels);
}

TEST(Salvage, WithoutAnIndexTheSumsSayWhereChunksAre) {
  Trial trial(5);
  const Commit& last = trial.history.commits.back();
  trial.zero(last.begin, last.trailer - last.begin);
  // Older states would do; without them, too.
  for (const Commit& commit : trial.history.commits) {
    if (commit.end != last.end) trial.zero(commit.begin, commit.end - commit.begin);
  }
  const SalvageReport report = trial.salvage({.fill = -7});
  ASSERT_TRUE(report.state.has_value());
  EXPECT_FALSE(report.states[*report.state].sealed);
  EXPECT_FALSE(report.verified());
  EXPECT_TRUE(says(report, "no seal covers the header"));
  EXPECT_EQ(report.metadata, SalvagedMetadata::unverified);
  // Chunks of zeros have neither bytes nor sums: only the index knew them.
  EXPECT_EQ(trial.saved(), trial.expected(last, report, -7));
  EXPECT_GT(report.verified_voxels, report.voxels * 8 / 10);
  EXPECT_EQ(report.unverified_voxels, 0);
  for (const Damage& place : report.lost) {
    EXPECT_EQ(place.block, -1);
    EXPECT_NE(place.what.find("neither the index nor the checksums"), std::string::npos)
        << place.what;
  }
}

TEST(Salvage, WithoutSumsTheIndexSaysWhereChunksAre) {
  Trial trial(0);
  const Commit& last = trial.history.commits.back();
  trial.history.bytes.resize(last.trailer + 20);
  const SalvageReport report = trial.salvage();
  EXPECT_EQ(report.lost_voxels, 0);
  EXPECT_EQ(report.unverified_voxels, report.voxels);
  EXPECT_EQ(report.metadata, SalvagedMetadata::lost);
  EXPECT_FALSE(report.verified());
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(trial.saved(), last.voxels);
}

// A voxel that is wrong, and nothing to tell it by.
TEST(Salvage, WhatNothingVerifiesStaysUnverifiedInTheNewFile) {
  Trial trial(0);
  const Commit& last = trial.history.commits.back();
  const FileBytes whole = trial.history.bytes;
  for (std::size_t place = trial.history.header_len + 60;; place += 20) {
    ASSERT_LT(place, last.begin);
    trial.history.bytes = whole;
    trial.zero(last.trailer, last.end - last.trailer);
    trial.history.bytes[place] ^= 4;
    std::filesystem::remove(trial.good);
    const SalvageReport report = trial.salvage();
    if (report.lost_voxels > 0 || trial.saved() == last.voxels) continue;
    EXPECT_EQ(report.unverified_voxels, report.voxels);
    EXPECT_TRUE(report.unverified_is_complete);
    std::int64_t listed = 0;
    for (const Damage& box : report.unverified) {
      EXPECT_EQ(box.block, -1);
      EXPECT_NE(box.what.find("nothing to verify it by"), std::string::npos);
      listed += element_count(box.voxels.shape());
    }
    EXPECT_EQ(listed, report.voxels);
    const VerifyReport verified = Array::open(trial.good).verify();
    EXPECT_FALSE(verified.verified());
    EXPECT_FALSE(verified.damaged());
    EXPECT_EQ(verified.seal, Seal::valid);
    EXPECT_GT(verified.unverified_blocks, 0);
    EXPECT_EQ(verified.verified_blocks, 0);
    break;
  }
  // Or nothing of it is taken.
  EXPECT_ERROR(salvage(trial.bad, {}, {.only_verified = true}), ErrorKind::corruption,
               "nothing verifies", "--only-verified");
}

TEST(Salvage, OnlyWhatIsVerifiedIfTheUserSaysSo) {
  Trial trial(4);
  const Commit& last = trial.history.commits.back();
  const SalvageReport all = trial.salvage({.only_verified = true});
  EXPECT_TRUE(all.verified());
  EXPECT_EQ(trial.saved(), last.voxels);
  // Chunks of zeros that an index without its seal names.
  std::filesystem::remove(trial.good);
  trial.zero(last.end - 16, 16);
  const SalvageReport some = trial.salvage();
  EXPECT_GT(some.unverified_voxels, 0);
  EXPECT_GT(some.verified_voxels, 0);
  std::filesystem::remove(trial.good);
  const SalvageReport fewer = trial.salvage({.fill = 9, .only_verified = true, .state = 0});
  EXPECT_EQ(fewer.unverified_voxels, 0);
  EXPECT_EQ(fewer.lost_voxels, some.unverified_voxels);
  EXPECT_EQ(trial.saved(), trial.expected(last, fewer, 9));
}

TEST(Salvage, MetadataOfAnotherCommitIsBetterThanNone) {
  Trial trial(1);
  const Commit& last = trial.history.commits[1];
  trial.history.bytes.resize(last.trailer + 20);
  trial.zero(trial.history.commits[0].begin, 100);  // the older index
  const SalvageReport report = trial.salvage();
  EXPECT_EQ(trial.saved(), trial.expected(last, report));
  EXPECT_EQ(report.lost_voxels, 0);
  EXPECT_EQ(report.metadata, SalvagedMetadata::older);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(Array::open(trial.good).metadata().spacing(), (std::vector<double>{1.5, 2.0, 3.0}));
}

TEST(Salvage, TheUserMayTakeAnOlderState) {
  Trial trial;
  const SalvageReport report = trial.salvage({.state = 1});
  EXPECT_EQ(report.state, 1u);
  EXPECT_TRUE(report.verified());
  EXPECT_EQ(trial.saved(), trial.history.commits[1].voxels);
  EXPECT_ERROR(salvage(trial.bad, {}, {.state = 3}), ErrorKind::invalid_value, "no state 3",
               "3 were found");
}

TEST(Salvage, AnOlderStateThatIsWholeIsNamed) {
  Trial trial;
  const Commit& second = trial.history.commits[1];
  trial.zero(second.end + 40, 300);  // the first chunk of the third commit
  const SalvageReport report = trial.salvage();
  EXPECT_EQ(report.state, 0u);
  EXPECT_GT(report.lost_voxels, 0);
  EXPECT_EQ(report.whole_state, 1u);
  EXPECT_EQ(trial.saved(), trial.expected(trial.history.commits[2], report));
  std::filesystem::remove(trial.good);
  EXPECT_EQ(trial.salvage({.state = report.whole_state}).lost_voxels, 0);
  EXPECT_EQ(trial.saved(), second.voxels);
}

// The state before the first write is whole, and nobody wants it.
TEST(Salvage, AnArrayAsItWasCreatedIsNoBetterThanADamagedOne) {
  const TempDir dir;
  const auto bad = dir / "bad.mla";
  const Voxels voxels({40, 36, 33});
  Array array =
      Array::create(bad, voxels.shape, int16(), {}, with_layout({16, 16, 16}, {8, 8, 16}));
  write(array, voxels.whole(), voxels.data);
  array.close();
  FileBytes bytes = load_bytes(bad);
  // Its metadata and its seal.
  for (std::size_t i = bytes.size() - 30; i < bytes.size(); ++i) bytes[i] = 0;
  for (std::size_t i = 5000; i < 5010; ++i) bytes[i] = static_cast<char>(~bytes[i]);
  store_bytes(bad, bytes);
  const SalvageReport report = salvage(bad, dir / "good.mla");
  EXPECT_EQ(report.state, 0u);
  EXPECT_GT(report.verified_voxels, report.voxels / 2);
  EXPECT_GT(report.lost_voxels, 0);
  EXPECT_FALSE(report.whole_state.has_value());
}

// --- the header ------------------------------------------------------------------------------

TEST(Salvage, AHeaderThatIsLostIsRebuiltOrTakenFromAnotherFile) {
  Trial trial(1);
  const FileBytes whole = trial.history.bytes;
  trial.zero(0, 87);  // all but shape, layout and type
  const SalvageReport rebuilt = trial.salvage();
  EXPECT_TRUE(says(rebuilt, "the header was rebuilt"));
  EXPECT_EQ(rebuilt.lost_voxels, 0);
  EXPECT_EQ(trial.saved(), trial.history.commits[1].voxels);

  // Shape and layout are in the metadata, too.
  std::filesystem::remove(trial.good);
  trial.history.bytes = whole;
  trial.zero(87, 60);
  const SalvageReport told = trial.salvage();
  EXPECT_TRUE(told.verified());
  EXPECT_EQ(trial.saved(), trial.history.commits[1].voxels);

  std::filesystem::remove(trial.good);
  trial.zero(0, trial.history.header_len);
  EXPECT_ERROR(trial.salvage(), ErrorKind::corruption, "--like");
  const auto like = trial.history.dir.path() / "like.mla";
  Array::save_voxels(like, Voxels({40, 36, 33}, 77).view(), int16(), {},
                     with_layout({16, 16, 16}, {8, 8, 16}));
  const SalvageReport report = trial.salvage({.like = like});
  EXPECT_TRUE(report.verified());
  EXPECT_TRUE(says(report, "the other file's"));
  EXPECT_EQ(trial.saved(), trial.history.commits[1].voxels);
}

// The length of an axis and the number of chunks are damaged, which one flipped bit makes
// agree.
TEST(Salvage, AHeaderThatNothingConfirmsIsNotTaken) {
  Trial trial(0);
  const Commit& last = trial.history.commits.back();
  const auto bytes = std::as_bytes(std::span(trial.history.bytes));
  std::size_t at = frame::kHeaderMinBytes;
  const auto length_at = [&](std::size_t i) { return frame::load_big<std::int64_t>(bytes, i); };
  while (length_at(at) != 40) ++at;
  trial.history.bytes[at + 7] = 41;  // a shape with as many chunks
  trial.history.bytes[frame::kTypesizeAt + 3] ^= 4;
  FileBytes whole = trial.history.bytes;
  // The metadata says another shape, and leads to the right header.
  EXPECT_EQ(trial.salvage().shape, (Shape{40, 36, 33}));
  // Without metadata and seal nothing says anything.
  std::filesystem::remove(trial.good);
  trial.zero(last.trailer, last.end - last.trailer);
  EXPECT_ERROR(trial.salvage(), ErrorKind::corruption, "nothing else in the file confirms",
               "--like");
  EXPECT_FALSE(std::filesystem::exists(trial.good));
}

// --- chunks ----------------------------------------------------------------------------------

struct ChunkPlace {
  std::size_t offset;
  std::size_t length;
};

std::vector<ChunkPlace> chunks_of(const History& history) {
  std::vector<ChunkPlace> out;
  const auto bytes = std::as_bytes(std::span(history.bytes));
  for (std::size_t at = history.header_len; at < history.commits[0].begin;) {
    const auto length = static_cast<std::size_t>(codec::load_i32(bytes, at + 12));
    out.push_back({at, length});
    at += length;
  }
  return out;
}

TEST(Salvage, OneBlockIsLostAndTheOthersAreNot) {
  Trial trial(0);
  const ChunkPlace chunk = chunks_of(trial.history)[3];
  trial.history.bytes[chunk.offset + chunk.length - 5] ^= 1;
  const SalvageReport report = trial.salvage({.fill = 99});
  ASSERT_EQ(report.lost.size(), 1u);
  EXPECT_GE(report.lost[0].block, 0);
  EXPECT_NE(report.lost[0].what.find("its checksum is wrong"), std::string::npos);
  EXPECT_EQ(report.lost_voxels, element_count(report.lost[0].voxels.shape()));
  EXPECT_EQ(trial.saved(), trial.expected(trial.history.commits[0], report, 99));
  EXPECT_TRUE(Array::open(trial.good).verify().verified());
}

TEST(Salvage, TheHeaderOfAChunkAndItsBlockStartsAreMended) {
  Trial trial(0);
  const FileBytes whole = trial.history.bytes;
  const ChunkPlace chunk = chunks_of(trial.history)[3];
  for (std::size_t bit = 0; bit < 8 * 48; bit += 5) {
    trial.history.bytes = whole;
    trial.history.bytes[chunk.offset + bit / 8] =
        static_cast<char>(whole[chunk.offset + bit / 8] ^ static_cast<char>(1u << (bit % 8)));
    store_bytes(trial.bad, trial.history.bytes);
    const SalvageReport report = salvage(trial.bad);
    EXPECT_EQ(report.verified_voxels, report.voxels) << bit;
  }
}

TEST(Salvage, ChunksThatWereMovedAreFound) {
  Trial trial(0);
  const std::vector<ChunkPlace> chunks = chunks_of(trial.history);
  for (std::size_t a = 0; a + 1 < chunks.size(); ++a) {
    for (std::size_t b = a + 1; b < chunks.size(); ++b) {
      if (chunks[a].length != chunks[b].length) continue;
      std::swap_ranges(
          trial.history.bytes.begin() + static_cast<std::ptrdiff_t>(chunks[a].offset),
          trial.history.bytes.begin() +
              static_cast<std::ptrdiff_t>(chunks[a].offset + chunks[a].length),
          trial.history.bytes.begin() + static_cast<std::ptrdiff_t>(chunks[b].offset));
      EXPECT_TRUE(trial.salvage().verified());
      EXPECT_EQ(trial.saved(), trial.history.commits[0].voxels);
      return;
    }
  }
  // No two of a length: bytes were put in between instead.
  trial.history.bytes.insert(
      trial.history.bytes.begin() + static_cast<std::ptrdiff_t>(chunks[5].offset), 77, 'x');
  const SalvageReport report = trial.salvage();
  EXPECT_TRUE(report.verified());
  EXPECT_EQ(trial.saved(), trial.history.commits[0].voxels);
}

// --- the order -------------------------------------------------------------------------------

// Written once, without chunks of zeros.
struct Once {
  TempDir dir;
  std::filesystem::path bad = dir / "bad.mla";
  std::filesystem::path good = dir / "good.mla";
  Voxels voxels{{40, 36, 33}};
  FileBytes bytes;
  std::size_t header_len = 0;

  Once() {
    Array::save_voxels(bad, voxels.view(), int16(), {}, with_layout({16, 16, 16}, {8, 8, 16}));
    bytes = load_bytes(bad);
    header_len = frame::load_big<std::uint32_t>(std::as_bytes(std::span(bytes)), 11);
  }
  // The file with its first `count` chunks.
  std::size_t end_of(std::size_t count) const {
    std::size_t at = header_len;
    for (; count > 0; --count) {
      at += static_cast<std::size_t>(codec::load_i32(std::as_bytes(std::span(bytes)), at + 12));
    }
    return at;
  }
  void check(const SalvageReport& report) const {
    Voxels expected = voxels;
    for (const Damage& place : report.lost) {
      const auto count = static_cast<std::size_t>(element_count(place.voxels.shape()));
      expected.put(place.voxels, std::vector<std::int16_t>(count, 0));
    }
    EXPECT_EQ(read_all(Array::open(good)), expected.data);
    EXPECT_FALSE(report.state.has_value());
    EXPECT_FALSE(report.verified());
    EXPECT_EQ(report.verified_voxels, 0);
    EXPECT_TRUE(says(report, "assumed"));
  }
};

TEST(Salvage, ATruncatedFileIsReadInOrderIfTheUserSaysSo) {
  Once file;
  file.bytes.resize(file.end_of(20) + 100);
  store_bytes(file.bad, file.bytes);
  EXPECT_ERROR(salvage(file.bad, file.good), ErrorKind::corruption, "20 of 27 chunks",
               "--assume-order");
  EXPECT_FALSE(std::filesystem::exists(file.good));
  const SalvageReport report = salvage(file.bad, file.good, {.assume_order = true});
  file.check(report);
  EXPECT_EQ(report.lost.size(), 7u);
  EXPECT_EQ(report.lost[0].chunk, 20);
}

TEST(Salvage, GapsOfOneChunkEachKeepTheOrder) {
  Once file;
  const Once whole;
  for (const std::size_t chunk : {4u, 11u}) {
    const std::size_t start = whole.end_of(chunk);
    for (std::size_t i = start; i < start + 20; ++i) file.bytes[i] = 0;
  }
  file.bytes.resize(whole.end_of(27));
  store_bytes(file.bad, file.bytes);
  const SalvageReport report = salvage(file.bad, file.good, {.assume_order = true});
  file.check(report);
  EXPECT_EQ(report.lost.size(), 2u);
}

TEST(Salvage, BehindAGapOfManyChunksTheEndIsCountedBackwards) {
  Once file;
  const Once whole;
  for (std::size_t i = whole.end_of(4); i < whole.end_of(9); ++i) file.bytes[i] = 0;
  file.bytes.resize(whole.end_of(27));
  store_bytes(file.bad, file.bytes);
  const SalvageReport report = salvage(file.bad, file.good, {.assume_order = true});
  file.check(report);
  EXPECT_EQ(report.lost.size(), 5u);
}

// --- what a disk does not deliver
// -------------------------------------------------------------

class FailingSource final : public io::ByteSource {
 public:
  explicit FailingSource(std::vector<std::byte> bytes)
      : source_(io::from_memory(std::move(bytes), "disk")) {}
  std::uint64_t size() const override { return source_->size(); }
  void read_many(std::span<const io::Read> reads) const override {
    for (const io::Read& read : reads) {
      if (read.offset < 10000 && read.offset + read.to.size() > 9000) {
        throw Error(ErrorKind::io, "cannot read", "disk", EIO);
      }
    }
    source_->read_many(reads);
  }
  bool are_cached(std::span<const std::uint64_t>) const override { return true; }
  void prefetch(std::span<const io::Range>) const override {}
  void refresh() override {}
  const std::string& name() const override { return source_->name(); }

 private:
  std::unique_ptr<io::ByteSource> source_;
};

TEST(DamagedFile, ReadsZerosWhereTheDiskFails) {
  const salvaging::DamagedFile file(
      std::make_unique<FailingSource>(std::vector<std::byte>(30000, std::byte{1})));
  EXPECT_FALSE(file.unreadable());
  const io::Bytes bytes = file.get(100, 40000);
  EXPECT_TRUE(file.unreadable());
  ASSERT_EQ(bytes.data.size(), 29900u);
  for (std::size_t i = 0; i < bytes.data.size(); ++i) {
    const bool failed = i + 100 >= 8192 && i + 100 < 12288;  // whole pieces of 4 KiB
    ASSERT_EQ(bytes.data[i], std::byte{failed ? std::uint8_t{0} : std::uint8_t{1}}) << i;
  }
  EXPECT_TRUE(file.get(30000, 1).data.empty());
}

// --- files that were made to keep us busy
// -----------------------------------------------------

// The begin of a file, zeros and its end; counts what is asked of it.
class SparseSource final : public io::ByteSource {
 public:
  SparseSource(std::vector<std::byte> begin, std::uint64_t zeros, std::vector<std::byte> end)
      : begin_(std::move(begin)), zeros_(zeros), end_(std::move(end)) {}
  std::uint64_t size() const override { return begin_.size() + zeros_ + end_.size(); }
  io::Bytes get(io::Range range) const override {
    *asked += range.length;
    *longest = std::max(*longest, range.length);
    if (range.offset >= begin_.size() && range.offset + range.length <= size() - end_.size() &&
        range.length <= nothing_->size()) {
      return {std::span(*nothing_).first(static_cast<std::size_t>(range.length)), nothing_};
    }
    const auto out =
        std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(range.length));
    for (std::size_t i = 0; i < out->size(); ++i) {
      const std::uint64_t at = range.offset + i;
      if (at < begin_.size()) (*out)[i] = begin_[static_cast<std::size_t>(at)];
      if (at >= begin_.size() + zeros_) {
        (*out)[i] = end_[static_cast<std::size_t>(at - begin_.size() - zeros_)];
      }
    }
    return {*out, out};
  }
  void read_many(std::span<const io::Read> reads) const override {
    for (const io::Read& read : reads) {
      const io::Bytes bytes = get({read.offset, read.to.size()});
      std::copy(bytes.data.begin(), bytes.data.end(), read.to.begin());
    }
  }
  bool are_cached(std::span<const std::uint64_t>) const override { return true; }
  void prefetch(std::span<const io::Range>) const override {}
  void refresh() override {}
  const std::string& name() const override { return name_; }

  std::shared_ptr<std::uint64_t> asked = std::make_shared<std::uint64_t>(0);
  std::shared_ptr<std::uint64_t> longest = std::make_shared<std::uint64_t>(0);

 private:
  std::vector<std::byte> begin_;
  std::uint64_t zeros_;
  std::vector<std::byte> end_;
  std::shared_ptr<std::vector<std::byte>> nothing_ =
      std::make_shared<std::vector<std::byte>>(std::size_t{2} << 20);
  std::string name_ = "sparse";
};

// A whole file, the begin of a trailer, zeros, and `count` ends of trailers, each of which
// claims all of that.
std::unique_ptr<SparseSource> many_trailers(std::uint64_t zeros, std::size_t count) {
  const History history(0);
  const auto bytes = std::as_bytes(std::span(history.bytes));
  std::vector<std::byte> begin(bytes.begin(), bytes.end());
  const std::size_t trailer = begin.size();
  for (const unsigned b : {0x94u, 1u, 0x93u, 0xcdu, 0u, 0u, 0xdeu, 0u, 0u}) {
    begin.push_back(static_cast<std::byte>(b));
  }
  begin.resize(begin.size() + 60);
  std::vector<std::byte> end;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t length =
        begin.size() + zeros + end.size() + frame::kTrailerEndBytes - trailer;
    end.push_back(static_cast<std::byte>(frame::kUint32Marker));
    frame::append_big(end, static_cast<std::uint32_t>(length));
    end.push_back(static_cast<std::byte>(frame::kFixExt16Marker));
    end.resize(end.size() + 17);
  }
  return std::make_unique<SparseSource>(std::move(begin), zeros, std::move(end));
}

TEST(Survey, OfManyTrailersThatClaimTheWholeFile) {
  auto source = many_trailers(std::uint64_t{4} << 20, 500);
  const auto asked = source->asked;
  const salvaging::DamagedFile file(std::move(source));
  const salvaging::Survey survey = salvaging::survey(file, {});
  EXPECT_EQ(survey.states.size(), 501u);
  EXPECT_LT(*asked, 50 * file.size());  // each of them once would be 500 times
}

TEST(Survey, OfATrailerLongerThanAnyOfSuchAnArray) {
  auto source = many_trailers(std::uint64_t{300} << 20, 1);
  const auto longest = source->longest;
  const salvaging::DamagedFile file(std::move(source));
  const salvaging::Survey survey = salvaging::survey(file, {});
  EXPECT_EQ(survey.states.size(), 1u);
  EXPECT_TRUE(survey.states[0].sealed);
  EXPECT_LT(*longest, std::uint64_t{2} << 20);
}

// A chunk of 32 bytes that stands for 200 MiB of zeros.
TEST(Survey, LooksAtALayerBeforeItIsDecompressed) {
  std::vector<std::byte> chunk(codec::kChunkHeaderBytes);
  chunk[codec::at::kVersion] = std::byte{codec::kFormatVersion};
  chunk[codec::at::kCodecVersion] = std::byte{1};
  chunk[codec::at::kFlags] = std::byte{codec::kExtendedHeader};
  chunk[codec::at::kTypesize] = std::byte{1};
  codec::store_i32(chunk, codec::at::kNbytes, 200 << 20);
  codec::store_i32(chunk, codec::at::kBlocksize, 200 << 20);
  codec::store_i32(chunk, codec::at::kCbytes, static_cast<std::int32_t>(chunk.size()));
  chunk[codec::at::kFlags2] = std::byte{0x10};
  ASSERT_EQ(codec::parse_chunk(chunk, {}).special, codec::Special::zeros);
  constexpr std::uint64_t kWork = std::uint64_t{64} << 30;
  salvaging::WorkBudget budget(kWork);
  EXPECT_FALSE(salvaging::layout_told_by({chunk, nullptr}, budget).has_value());
  EXPECT_EQ(budget.left(), kWork);
}

TEST(WorkBudget, WhatIsSpentIsSpentOfTheWholeToo) {
  salvaging::WorkBudget whole(100);
  salvaging::WorkBudget part(60, &whole);
  EXPECT_TRUE(part.spend(50));
  EXPECT_EQ(part.left(), 10u);
  EXPECT_EQ(whole.left(), 50u);
  EXPECT_FALSE(part.spend(11));
  EXPECT_FALSE(part.spend(1));  // who asked for too much gets nothing
  EXPECT_TRUE(part.exhausted());
  EXPECT_FALSE(whole.exhausted());
  salvaging::WorkBudget other(1000, &whole);
  EXPECT_FALSE(other.spend(51));
  EXPECT_TRUE(whole.exhausted());
  EXPECT_EQ(other.left(), 0u);
}

// --- other arrays ----------------------------------------------------------------------------

TEST(Salvage, OfArraysWithoutVoxelsAndWithoutAxes) {
  const TempDir dir;
  const auto try_shape = [&](const Shape& shape, const std::vector<std::int16_t>& data) {
    const auto bad = dir / "bad.mla";
    const auto good = dir / "good.mla";
    std::filesystem::remove(good);
    Metadata metadata;
    metadata.set("source", "data", Map{{{"a", 1}}});
    Array::save_voxels(
        bad,
        {reinterpret_cast<const std::byte*>(data.data()), shape, grid::c_strides(shape, 2)},
        int16(), metadata);
    FileBytes bytes = load_bytes(bad);
    bytes[3] ^= 1;
    store_bytes(bad, bytes);
    const SalvageReport report = salvage(bad, good);
    EXPECT_TRUE(report.verified());
    EXPECT_EQ(report.voxels, element_count(shape));
    const Array array = Array::open(good);
    EXPECT_EQ(array.shape(), shape);
    EXPECT_EQ(test::read(array, {Shape(shape.size(), 0), shape}), data);
    EXPECT_EQ(array.metadata().get("source", "data"), metadata.get("source", "data"));
  };
  try_shape({}, {7});
  try_shape({3, 0, 2}, {});
  try_shape({1}, {-1});
}

}  // namespace
}  // namespace mlarray
