// Each promise of docs/crash_safety.md is broken once, on purpose. The campaign must find it.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <iostream>
#include <set>
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

struct Mutant {
  const char* name;
  const char* workload;  // that finds it
};

std::ostream& operator<<(std::ostream& out, const Mutant& mutant) { return out << mutant.name; }

constexpr Mutant kMutants[] = {
    {"no_sync_before_flip", "edit_ordered"},
    {"no_sync_after_flip", "edit_durable"},
    {"flip_before_tail", "edit_ordered"},
    {"sync_after_flip_only", "edit_ordered"},
    {"end_not_moved", "edit_durable"},
    {"failed_sync_ignored", "edit_durable"},
    {"not_poisoned", "edit_ordered"},
    {"half_edit_published", "edits_ordered"},
    {"dead_tail_kept", "edit_ordered"},
    {"compaction_unsynced", "compact_durable_edits"},
    {"save_over_own_keeps_old_file", "save_over_own_ordered"},
    {"no_sync_before_rename", "save_over_ordered"},
    {"rename_before_sync", "save_over_ordered"},
    {"no_folder_sync", "save_over_durable"},
    {"close_unchecked", "save_over_none"},
    {"short_write_believed", "save_over_ordered"},
    {"leftovers_stay", "save_over_ordered"},
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
  CampaignOptions options;
  options.stop_at_first = true;
  options.rewrite_every = 1;
  Campaign campaign(options);
  bool ran = false;
  for (const Workload& workload : all_workloads()) {
    if (workload.name != GetParam().workload) continue;
    ran = true;
    campaign.run(workload);
  }
  ASSERT_TRUE(ran) << GetParam().workload;
  EXPECT_TRUE(asked) << "nothing asks for it: is its file in the list of CMakeLists.txt?";
  ASSERT_GT(campaign.findings().total(), 0u) << "survives " << campaign.summary();
  std::cout << campaign.findings().examples().front() << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Fault, MutantTest, testing::ValuesIn(kMutants),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Mutant, OfUnverifiedSumsIsFound) {
  active = "unverified_sums";
  asked = false;
  const std::vector<std::string> found = edit_damaged_file();
  active.clear();
  EXPECT_TRUE(asked);
  ASSERT_FALSE(found.empty());
  std::cout << found.front() << std::endl;
}

}  // namespace
}  // namespace test
}  // namespace mlarray
