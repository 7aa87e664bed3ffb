// No state is ever lost: docs/crash_safety.md. A finding names itself ("edit_ordered/kill 17");
//   MLARRAY_FAULT_ONLY='edit_ordered/kill 17' test_fault --gtest_filter='Fault.*'
// repeats it alone. MLARRAY_FAULT_ROUNDS=N repeats everything with N seeds and more subsets.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "campaign.hpp"
#include "damage.hpp"

namespace mlarray::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
constexpr std::uint64_t kRounds = 1;
#else
constexpr bool kSanitized = false;
constexpr std::uint64_t kRounds = 2;
#endif

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

CampaignOptions options_of(std::uint64_t round, const std::string& only) {
  CampaignOptions options;
  options.seed = round + 1;
  // Failing calls depend little on what is written.
  if (round > 0) options.failure_every = 4;
  // Sanitizers, nine times slower, need every path and not every subset.
  if (kSanitized) {
    options.failure_every *= 4;
    options.combined = 2;
    options.cuts = options.unsafe;
  }
  if (round > 1) {
    options.cuts.all_subsets_up_to = 13;
    options.cuts.seeded = 1000;
    options.cuts.torn = 8;
  }
  const std::size_t slash = only.find('/');
  if (slash != std::string::npos) options.only = only.substr(slash + 1);
  return options;
}

TEST(Fault, NoStateIsEverLost) {
  const std::string only = variable("MLARRAY_FAULT_ONLY");
  const std::string rounds = variable("MLARRAY_FAULT_ROUNDS");
  const std::uint64_t count = rounds.empty() ? kRounds : std::stoull(rounds);
  std::vector<Workload> list = workloads();
  for (Workload& one : large_workloads()) list.push_back(std::move(one));
  Totals totals;
  Findings findings;
  for (std::uint64_t round = 0; round < count; ++round) {
    for (const Workload& workload : list) {
      if (!only.empty() && only.substr(0, only.find('/')) != workload.name) continue;
      Campaign campaign(options_of(round, only));
      campaign.run(workload);
      totals += campaign.totals();
      findings += campaign.findings();
    }
  }
  for (const std::string& example : findings.examples()) ADD_FAILURE() << example;
  std::cout << findings.table() << summary(totals, findings) << '\n';
  if (!only.empty()) return;
  EXPECT_GE(totals.kills, kSanitized ? 1'000u : 2'000u);
  EXPECT_GE(totals.cuts, kSanitized ? 5'000u : 20'000u);
  EXPECT_GE(totals.failed_calls, 2'000u);
}

TEST(Fault, DamageIsNotMadeToLookRight) {
  EXPECT_EQ(edit_damaged_file(), std::vector<std::string>());
}

}  // namespace
}  // namespace mlarray::test
