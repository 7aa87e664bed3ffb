// Each promise of docs/crash_safety.md is broken once, on purpose. The campaign must find it.
#include <gtest/gtest.h>

#include <atomic>
#include <ostream>
#include <string>

#include "base/mutants.hpp"
#include "campaign.hpp"
#include "damage.hpp"

namespace mlarray {
namespace {

std::string active;              // the mutant of the test that runs
std::atomic<bool> asked{false};  // did the library come to its place?

}  // namespace

bool base::mutant(const char* name) {
  if (active != name) return false;
  asked = true;
  return true;
}

namespace test {
namespace {

// Where it is looked for, and what must be found there (Findings::add).
struct Mutant {
  const char* name;
  const char* workload;
  const char* kind;
  const char* how;  // "cut": by a power cut; "kill", "fail", "whole"
};

std::ostream& operator<<(std::ostream& out, const Mutant& mutant) { return out << mutant.name; }

constexpr Mutant kMutants[] = {
    {"no_sync_before_flip", "edit_ordered", "lost", "cut"},
    {"sync_after_flip", "edit_ordered", "lost", "cut"},
    {"flip_before_tail", "edit_none", "lost", "kill"},
    {"no_sync_after_flip", "edit_durable", "lost", "cut"},
    {"name_forgotten", "durable_name", "lost", "cut"},
    {"end_not_moved", "edit_durable", "lost", "fail"},
    {"failed_sync_ignored", "edit_ordered", "lost", "fail"},
    {"not_poisoned", "edit_ordered", "unpoisoned", "fail"},
    {"half_edit_published", "edits_ordered", "inside", "whole"},
    {"dead_tail_kept", "edit_ordered", "left", "kill"},
    {"compaction_unsynced", "compact_durable_edits", "lost", "cut"},
    {"old_file_written_on", "save_over_own_ordered", "refused", "whole"},
    {"no_sync_before_rename", "save_over_ordered", "lost", "cut"},
    {"rename_before_sync", "save_over_ordered", "lost", "cut"},
    {"no_folder_sync", "save_over_durable", "lost", "cut"},
    {"close_unchecked", "save_over_none", "lost", "fail"},
    {"short_write_believed", "save_over_ordered", "lost", "fail"},
    {"leftovers_stay", "save_over_ordered", "left", "kill"},
    {"rename_believed", "save_over_own_ordered", "inside", "fail"},
    {"flip_left_half", "edit_ordered", "lost", "fail"},
    {"nameless_commits", "removed", "lost", "whole"},
    {"space_kept", "edit_ordered", "left", "fail"},
    {"stale_pages_kept", "paged_ordered", "lost", "kill"},
    {"records_kept", "record_ordered", "inside", "whole"},
};

class MutantTest : public testing::TestWithParam<Mutant> {
 protected:
  MutantTest() {
    active = GetParam().name;
    asked = false;
  }
  ~MutantTest() override { active.clear(); }
};

std::vector<Workload> all_workloads() {
  std::vector<Workload> out = workloads();
  for (Workload& one : large_workloads()) out.push_back(std::move(one));
  return out;
}

TEST_P(MutantTest, IsFound) {
  const std::string how = GetParam().how;
  CampaignOptions options;
  options.kills = how == "kill";
  options.power_cuts = how == "cut";
  options.failures = how == "fail";
  options.cuts.limit({.all_subsets_up_to = 6, .seeded = 50, .torn = 2});
  Campaign campaign(options);
  for (const Workload& workload : all_workloads()) {
    if (workload.name == GetParam().workload) campaign.run(workload);
  }
  EXPECT_TRUE(asked) << "nothing asks for it: is its file in the list of CMakeLists.txt?";
  const std::string place = std::string(GetParam().workload) + "/" + how;
  EXPECT_GT(campaign.findings().count(GetParam().kind, place), 0u)
      << "survives; found was\n"
      << campaign.findings().table();
}

INSTANTIATE_TEST_SUITE_P(Fault, MutantTest, testing::ValuesIn(kMutants),
                         [](const auto& one) { return std::string(one.param.name); });

std::vector<std::string> found_with(const char* mutant, std::vector<std::string> (*test)()) {
  active = mutant;
  asked = false;
  std::vector<std::string> found = test();
  active.clear();
  EXPECT_TRUE(asked);
  return found;
}

TEST(Mutant, OfUnverifiedSumsIsFound) {
  EXPECT_FALSE(found_with("unverified_sums", edit_damaged_file).empty());
}

TEST(Mutant, OfUnverifiedCopiesOfBlocksIsFound) {
  EXPECT_FALSE(found_with("copied_unverified", edit_damaged_file).empty());
}

TEST(Mutant, OfSumsOfTheOldLengthIsFound) {
  EXPECT_FALSE(found_with("old_length_sums", edit_whole_file).empty());
}

TEST(Mutant, OfAStaleRecordIsFound) {
  EXPECT_FALSE(found_with("stale_record_believed", believe_stale_records).empty());
}

TEST(Mutant, OfAPageThatIsNotHashedIsFound) {
  EXPECT_FALSE(found_with("page_not_hashed", believe_damaged_pages).empty());
}

}  // namespace
}  // namespace test
}  // namespace mlarray
