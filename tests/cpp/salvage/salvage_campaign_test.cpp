// Damages by number: what is saved is what the commit that it names had.
#include <cstdio>
#include <map>

#include "mlarray/salvage.hpp"
#include "salvage/history.hpp"
#include "support/errors.hpp"

namespace mlarray {
namespace {

using test::Commit;
using test::FileBytes;
using test::History;
using test::read_all;
using test::Voxels;

constexpr std::int16_t kFill = -7;

struct Damaged {
  std::string kind;
  FileBytes bytes;
};

class Damager {
 public:
  Damager(const History& history, unsigned seed) : history_(history), random_(seed) {}

  Damaged damage() {
    FileBytes bytes = history_.bytes;
    const Commit& last = history_.commits.back();
    switch (random_() % 10) {
      case 0:
        flip(bytes, 0, history_.header_len);
        return {"bit of the header", bytes};
      case 1:
        flip(bytes, last.begin, last.trailer);
        return {"bit of the index", bytes};
      case 2:
        flip(bytes, last.trailer, last.end);
        return {"bit of the trailer", bytes};
      case 3:
        for (unsigned i = 0; i <= random_() % 30; ++i)
          flip(bytes, history_.header_len, last.end);
        return {"bits of chunks", bytes};
      case 4:
        zero(bytes, at(history_.header_len, bytes.size()), 1 + random_() % 5000);
        return {"zeroed range", bytes};
      case 5:
        zero(bytes, at(last.begin - 500, last.end), 1 + random_() % 3000);
        return {"zeroed range at the end", bytes};
      case 6:
        bytes.resize(at(history_.header_len, bytes.size()));
        return {"truncation", bytes};
      case 7: {
        const std::size_t start = at(history_.header_len, bytes.size() - 600);
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(start),
                    bytes.begin() + static_cast<std::ptrdiff_t>(start + 1 + random_() % 500));
        return {"bytes cut out", bytes};
      }
      case 8:
        // No checksums, of this commit or of others, and chunks that they would have found.
        for (const Commit& commit : history_.commits) {
          zero(bytes, commit.trailer, commit.end - commit.trailer);
        }
        for (unsigned i = 0; i <= random_() % 30; ++i)
          flip(bytes, history_.header_len, last.begin);
        return {"bits of chunks, no checksums", bytes};
      default:
        zero(bytes, at(0, history_.header_len), 1 + random_() % 60);
        return {"zeroed range in the header", bytes};
    }
  }

 private:
  std::size_t at(std::size_t low, std::size_t high) { return low + random_() % (high - low); }
  void flip(FileBytes& bytes, std::size_t low, std::size_t high) {
    char& byte = bytes[at(low, high)];
    byte = static_cast<char>(byte ^ static_cast<char>(1u << (random_() % 8)));
  }
  static void zero(FileBytes& bytes, std::size_t start, std::size_t length) {
    for (std::size_t i = start; i < std::min(start + length, bytes.size()); ++i) bytes[i] = 0;
  }

  const History& history_;
  std::mt19937 random_;
};

struct Tally {
  int trials = 0;
  int refused = 0;
  int whole = 0;
  std::int64_t wrong = 0;
  double saved = 0;
};

struct Share {
  double saved = 0;
  std::int64_t wrong = 0;  // among those that the report calls unverified
};

// Every voxel is that of the commit, or lost and filled, or the report says that nothing
// verifies it.
Share check(const History& history, const SalvageReport& report,
            const std::filesystem::path& good) {
  EXPECT_TRUE(report.state.has_value());
  const Commit* commit = history.commit_at(report.states[*report.state].offset);
  if (commit == nullptr) {
    ADD_FAILURE() << "no commit at " << report.states[*report.state].offset;
    return {};
  }
  Voxels expected = history.voxels;
  expected.data = commit->voxels;
  std::int64_t lost = 0;
  for (const Damage& place : report.lost) {
    const std::int64_t count = element_count(place.voxels.shape());
    expected.put(place.voxels,
                 std::vector<std::int16_t>(static_cast<std::size_t>(count), kFill));
    lost += count;
  }
  EXPECT_EQ(lost, report.lost_voxels);
  EXPECT_EQ(report.voxels,
            report.verified_voxels + report.unverified_voxels + report.lost_voxels);
  const Array array = Array::open(good);
  EXPECT_EQ(array.shape(), expected.shape);
  if (array.shape() != expected.shape) return {};
  Voxels found = expected;
  found.data = read_all(array);
  Share share;
  std::int64_t unverified = 0;
  for (const Damage& place : report.unverified) {
    const auto of_commit = expected.cut(place.voxels);
    const auto of_file = found.cut(place.voxels);
    for (std::size_t i = 0; i < of_file.size(); ++i) share.wrong += of_file[i] != of_commit[i];
    found.put(place.voxels, of_commit);
    unverified += element_count(place.voxels.shape());
  }
  EXPECT_EQ(unverified, report.unverified_voxels);
  EXPECT_EQ(found.data, expected.data);
  // What was not verified is not made to look right, unless it has no bytes.
  const VerifyReport verified = array.verify();
  EXPECT_FALSE(verified.damaged());
  EXPECT_EQ(verified.seal, Seal::valid);
  EXPECT_TRUE(share.wrong == 0 || verified.unverified_blocks > 0);
  EXPECT_EQ(verified.verified(), verified.unverified_blocks == 0);
  EXPECT_TRUE(unverified > 0 || verified.verified());
  share.saved = 1 - static_cast<double>(lost) / static_cast<double>(report.voxels);
  return share;
}

// `usual`: many small blocks and sums in the trailer. Where sums lie in pages, bits of chunks
// are also bits of these, whose blocks are then unverified and may be wrong.
void run(int trials, unsigned seed, const SaveOptions& options, bool usual) {
  const History history(7, options);
  Damager damager(history, seed);
  std::map<std::string, Tally> tallies;
  const auto bad = history.dir.path() / "bad.mla";
  const auto good = history.dir.path() / "good.mla";
  for (int trial = 0; trial < trials; ++trial) {
    const Damaged damaged = damager.damage();
    SCOPED_TRACE(damaged.kind + ", trial " + std::to_string(trial));
    test::store_bytes(bad, damaged.bytes);
    std::filesystem::remove(good);
    Tally& tally = tallies[damaged.kind];
    ++tally.trials;
    try {
      const SalvageReport report = salvage(
          bad, good, {.fill = Value(int{kFill}), .threads = 1, .level = CommitLevel::none});
      const Share share = check(history, report, good);
      tally.saved += share.saved;
      tally.wrong += share.wrong;
      if (report.complete() && share.saved == 1) ++tally.whole;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corruption) << error.what();
      ++tally.refused;
    }
    EXPECT_EQ(test::load_bytes(bad), damaged.bytes);
    if (testing::Test::HasFailure()) return;
  }
  for (const auto& [kind, tally] : tallies) {
    if (kind.starts_with("bit of")) {
      EXPECT_EQ(tally.whole, tally.trials) << kind;
    }
    if (kind == "bits of chunks" && usual) {
      EXPECT_GT(tally.saved, 0.9 * tally.trials);
    }
    const bool without_sums = kind == "bits of chunks, no checksums";
    if (usual) {
      EXPECT_EQ(tally.wrong > 0, without_sums) << kind;
    }
    if (kind != "truncation") {
      EXPECT_LT(tally.refused, 1 + tally.trials / 4) << kind;
    }
    std::printf(
        "%-28s %4d trials: %4d whole, %4d refused, %5.1f %% of the voxels saved, "
        "%lld wrong\n",
        kind.c_str(), tally.trials, tally.whole, tally.refused,
        100 * tally.saved / tally.trials, static_cast<long long>(tally.wrong));
  }
}

// Sanitizers take several times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kTrials = 60;
#else
constexpr int kTrials = 300;
#endif

TEST(SalvageCampaign, WhatIsSavedIsWhatTheCommitHad) {
  run(kTrials, 1, test::with_layout({16, 16, 16}, {8, 8, 16}), true);
}

TEST(SalvageCampaign, WithTheRecordOfBlockOffsets) {
  const SaveOptions options = test::with_layout({20, 18, 33}, {10, 18, 33});
  const History history(2, options);
  EXPECT_NE(std::string(history.bytes.begin(), history.bytes.end()).find("mlarray:records"),
            std::string::npos);
  run(kTrials / 5, 2, options, false);
}

TEST(SalvageCampaign, WithSumsInPages) {
  SaveOptions options = test::with_layout({16, 16, 16}, {2, 2, 2});
  // LZ4HC takes 256 KiB of memory for each block, which sanitizers map anew each time.
  options.codec = codec_for(Preset::fast, int16());
  options.codec->codec = Codec::lz4;
  run(kTrials / 5, 3, options, false);
}

}  // namespace
}  // namespace mlarray
