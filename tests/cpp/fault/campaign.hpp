// Runs a workload, kills it at every operation, cuts the power at every operation, lets every
// call fail, and looks at what is left each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver.hpp"
#include "power_cuts.hpp"
#include "workloads.hpp"

namespace mlarray::test {

// Of base::limit(), for as long as it lives.
class ScopedLimits {
 public:
  explicit ScopedLimits(Limits limits);
  ScopedLimits(const ScopedLimits&) = delete;
  ScopedLimits& operator=(const ScopedLimits&) = delete;
  ~ScopedLimits();
};

struct CampaignOptions {
  std::uint64_t seed = 1;  // of what is written and of the subsets
  CutOptions cuts;
  CutOptions unsafe = {.all_subsets_up_to = 5, .seeded = 20, .torn = 2};  // at level none
  bool kills = true, power_cuts = true, failures = true;
  // Of the distinct disks after a power cut, one in so many is also written to again.
  std::size_t rewrite_every = 16;
  std::size_t failure_every = 1;  // of the calls, one in so many fails
  std::size_t combined = 8;       // failing calls, and a kill somewhere, by workload
  bool stop_at_first = false;     // finding
  std::string only;               // "kill 17": what a finding names; empty: everything
};

struct Totals {
  std::size_t kills = 0;
  std::size_t cuts = 0;  // distinct disks
  std::size_t failed_calls = 0;
  Totals& operator+=(const Totals& other);
};

// One line: "kills N, cuts N, failed calls N: lost 0, wrong 0".
std::string summary(const Totals& totals, const Findings& findings);

class Campaign {
 public:
  explicit Campaign(CampaignOptions options) : options_(std::move(options)) {}

  void run(const Workload& workload);
  const Totals& totals() const { return totals_; }
  const Findings& findings() const { return findings_; }
  std::string summary() const { return test::summary(totals_, findings_); }

 private:
  // What the file of some bytes is.
  struct Outcome {
    std::size_t content = 0;  // hash
    bool missing = false;
    std::string error;
  };
  using Prepare = std::function<void(MemoryFiles&, Driver&)>;
  using Look = std::function<void(MemoryFiles&, Driver&)>;

  // Runs it in a file system of its own and looks at what is left, with all its objects gone.
  void run_once(const std::string& how, const Prepare& prepare, const Look& look);
  void kill(std::size_t operation, bool whole);
  void fail(const std::string& name, std::size_t number, const Fault& fault);
  void fail_and_kill(const std::string& name, std::size_t number, const Fault& fault,
                     std::size_t operation);
  void cut(MemoryFiles& files, const Driver& driver, std::size_t operation,
           const std::string& how, const CutOptions& options);

  const Outcome& look_at(const FileBytes* bytes);
  // Compares it with what is promised; `from`: the oldest state that may be found.
  void judge(const FileBytes* bytes, const Driver& driver, const Promise& promise,
             std::size_t from, bool unsafe, const std::string& how);
  // What a new process makes of the files. `anew`: it saves over what is there, since a sync
  // failed after a commit at level none, which no later sync makes good.
  void write_again(MemoryFiles& files, const std::string& how, bool durable, bool anew = false);
  bool wanted(const std::string& how) const {
    return options_.only.empty() || options_.only == how;
  }
  bool done() const { return options_.stop_at_first && findings_.total() > 0; }
  std::string where(const std::string& how) const { return name_ + "/" + how; }
  const FileBytes& first_bytes(const Shapes& shapes);

  CampaignOptions options_;
  Totals totals_;
  Findings findings_;
  std::string name_;
  const Workload* workload_ = nullptr;
  Content first_content_;
  std::map<Shape, std::pair<FileBytes, Content>> firsts_;
  std::map<std::size_t, Outcome> outcomes_;  // by hash of the bytes
  std::set<std::size_t> disks_;              // by hash of names and bytes
};

}  // namespace mlarray::test
