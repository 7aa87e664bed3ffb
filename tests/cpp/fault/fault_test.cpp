// No state is ever lost: docs/crash_safety.md. A finding names itself ("edit_ordered/kill 17");
//   MLARRAY_FAULT_ONLY='edit_ordered/kill 17' test_fault --gtest_filter='Fault.*'
// repeats it alone. MLARRAY_FAULT_ROUNDS=N repeats everything with N seeds and more subsets.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "campaign.hpp"

namespace mlarray::test {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void run(Campaign& campaign, const std::vector<Workload>& list, const std::string& only) {
  for (const Workload& workload : list) {
    if (!only.empty() && only.substr(0, only.find('/')) != workload.name) continue;
    campaign.run(workload);
  }
}

TEST(Fault, NoStateIsEverLost) {
  const std::string only = variable("MLARRAY_FAULT_ONLY");
  const std::string rounds = variable("MLARRAY_FAULT_ROUNDS");
  const int count = rounds.empty() ? 1 : std::stoi(rounds);
  CampaignOptions options;
  if (const std::size_t slash = only.find('/'); slash != std::string::npos) {
    options.only = only.substr(slash + 1);
  }
  for (int round = 0; round < count; ++round) {
    options.seed = static_cast<std::uint64_t>(round) + 1;
    Campaign campaign(options);
    run(campaign, workloads(), only);
    for (const std::string& example : campaign.findings().examples()) {
      ADD_FAILURE() << example;
    }
    if (campaign.findings().total() > 0) std::cout << campaign.findings().table();
    std::cout << campaign.summary() << std::endl;
  }
}

}  // namespace
}  // namespace mlarray::test
