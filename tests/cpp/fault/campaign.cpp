#include "campaign.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/mutants.hpp"
#include "io/temporary.hpp"
#include "mlarray/error.hpp"
#include "support/records.hpp"

namespace mlarray {
namespace {

test::Limits small_limits;  // of the workload that runs

}  // namespace

std::uint64_t base::limit(const char* name, std::uint64_t usual) {
  const auto found = small_limits.find(name);
  return found == small_limits.end() ? usual : found->second;
}

namespace test {

ScopedLimits::ScopedLimits(Limits limits) { small_limits = std::move(limits); }
ScopedLimits::~ScopedLimits() { small_limits.clear(); }

namespace {

constexpr auto kHappened = Fault::Way::happened;
constexpr auto kHalf = Fault::Way::half;

const std::string kOther = std::string(MemoryFiles::kFolder) + "/b.mla";
const std::string kLink = std::string(MemoryFiles::kFolder) + "/link.mla";

std::size_t hash_of(const FileBytes& bytes) {
  return std::hash<std::string_view>()(
      {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// Temporary files differ in their random names, which say nothing.
std::size_t hash_of(const CutState& state) {
  std::string text;
  for (const std::string& name : state.names) {
    text += name.ends_with(".tmp") ? "tmp/" : name + "/";
  }
  return std::hash<std::string>()(text) * 31 + (state.exists ? hash_of(state.bytes) : 0);
}

Disk disk_of(const FileBytes* bytes) {
  Disk disk;
  if (bytes == nullptr) return disk;
  disk.names[kPath] = 0;
  disk.files.push_back(*bytes);
  return disk;
}

Disk disk_of(const CutState& state) {
  Disk disk;
  for (const std::string& name : state.names) {
    disk.names[name] = static_cast<int>(disk.files.size());
    disk.files.push_back(name == kPath ? state.bytes : FileBytes(100));
  }
  return disk;
}

std::string text_of(const std::string& name, std::size_t number, const Fault& fault) {
  return "fail " + name + " " + std::to_string(number) + " with " + std::to_string(fault.code) +
         (fault.lasting ? " from then on" : "") +
         (fault.way == kHappened ? " though it happened"
          : fault.way == kHalf   ? " half way"
                                 : "");
}

// The ways in which a call fails, once or from then on.
struct Ways {
  std::vector<int> codes;  // which one it is changes a text and nothing else: by turns
  std::vector<Fault> others;
};

std::vector<Fault> faults_of(const std::string& name, std::size_t number) {
  static const std::vector<Fault> kSync = {{EINTR}, {EIO, true}, {EIO, false, kHappened}};
  static const std::map<std::string, Ways> kWays = {
      {"open", {{EIO, EMFILE}, {{EINTR}, {EMFILE, true}}}},
      {"create", {{ENOSPC, EDQUOT, EMFILE}, {{EINTR}, {EROFS, true}}}},
      {"open_folder", {{EMFILE, EIO}, {{EINTR}}}},
      {"close", {{EIO, EDQUOT, ENOSPC}, {{EINTR}, {EIO, true}}}},
      {"close_read", {{EIO}, {{EINTR}}}},
      {"dup", {{EMFILE}, {{EINTR}}}},
      {"pread", {{EIO}, {{EINTR}, {0}, {EIO, true}, {0, true}}}},
      {"pwrite",
       {{EIO, ENOSPC, EDQUOT, EFBIG},
        {{EINTR},
         {0},
         {ENOSPC, true},
         {0, true},
         {EIO, false, kHappened},
         {EIO, false, kHalf}}}},
      {"ftruncate", {{EIO}, {{EINTR}, {EIO, true}, {EIO, false, kHappened}}}},
      {"fsync", {{EIO, ENOSPC, EDQUOT}, kSync}},
      {"fdatasync", {{EIO, ENOSPC, EDQUOT}, kSync}},
      {"sync_folder", {{EIO}, kSync}},
      {"start_writeback", {{EIO}, {{ESPIPE, true}}}},
      {"rename", {{EIO, ENOSPC, EACCES}, {{EIO, false, kHappened}}}},
      {"unlink", {{EIO}, {{EACCES, true}, {EIO, false, kHappened}}}},
      {"stat", {{EIO, EACCES}, {}}},
      {"lstat", {{EIO}, {}}},
      {"fstat", {{EIO, ESTALE}, {}}},
      {"readlink", {{EIO}, {}}},
      {"list_folder", {{EIO}, {}}},
      {"fchmod", {{EPERM}, {}}},
      {"fchown", {{EPERM}, {}}},
      {"flock", {{ENOLCK}, {{EINTR}, {EOPNOTSUPP, true}}}},
      {"mmap", {{ENOMEM}, {{ENODEV, true}}}},
  };
  const auto found = kWays.find(name);
  if (found == kWays.end()) return {};
  const Ways& ways = found->second;
  std::vector<Fault> out = {{ways.codes[number % ways.codes.size()]}};
  out.insert(out.end(), ways.others.begin(), ways.others.end());
  return out;
}

}  // namespace

Totals& Totals::operator+=(const Totals& other) {
  kills += other.kills;
  cuts += other.cuts;
  failed_calls += other.failed_calls;
  return *this;
}

std::string summary(const Totals& totals, const Findings& findings) {
  std::string text = "kills " + std::to_string(totals.kills) + ", cuts " +
                     std::to_string(totals.cuts) + ", failed calls " +
                     std::to_string(totals.failed_calls) + ": lost " +
                     std::to_string(findings.count("lost")) + ", wrong " +
                     std::to_string(findings.count("wrong"));
  for (const auto& [kind, count] : findings.counts()) {
    if (kind != "lost" && kind != "wrong") text += ", " + kind + " " + std::to_string(count);
  }
  return text;
}

const FileBytes& Campaign::first_bytes(const Shapes& shapes) {
  const auto found = firsts_.find(shapes.shape);
  if (found != firsts_.end()) {
    first_content_ = found->second.second;
    return found->second.first;
  }
  MemoryFiles files;
  const io::ScopedSystemCalls scope(files);
  Findings none;
  Driver driver(files, none, "", {}, shapes, 99);
  driver.save(Level::durable);
  first_content_ = driver.states().back();
  return firsts_.emplace(shapes.shape, std::pair(*files.now().find(kPath), first_content_))
      .first->second.first;
}

void Campaign::run_once(const std::string& how, const Prepare& prepare, const Look& look) {
  Disk disk;
  first_content_ = {};
  if (workload_->file_exists) disk = disk_of(&first_bytes(workload_->shapes));
  MemoryFiles files(std::move(disk));
  if (workload_->by_link) files.put_link(kLink, "a.mla");
  const io::ScopedSystemCalls scope(files);
  io::forget_folders();
  Driver driver(files, findings_, where(how), first_content_, workload_->shapes, options_.seed,
                workload_->by_link ? kLink : kPath);
  prepare(files, driver);
  try {
    workload_->body(driver);
  } catch (const Killed&) {
  } catch (const std::exception& error) {
    findings_.add("refused", where(how), std::string("another exception: ") + error.what());
  }
  files.before_operation = nullptr;
  driver.drop();
  files.restart();
  look(files, driver);
}

const Campaign::Outcome& Campaign::look_at(const FileBytes* bytes) {
  const std::size_t key = bytes == nullptr ? 0 : hash_of(*bytes);
  const auto known = outcomes_.find(key);
  if (known != outcomes_.end()) return known->second;
  Outcome out;
  MemoryFiles files(disk_of(bytes));
  const io::ScopedSystemCalls scope(files);
  try {
    const Access access = key % 2 == 0 ? Access::mapped : Access::buffered;
    out.content = read_content(workload_->shapes, access).hash();
    if (bytes != nullptr) {
      const Heads heads = heads_of({bytes->begin(), bytes->end()});
      if (!heads.wrong.empty()) out.error = heads.wrong.front();
    }
  } catch (const Error& error) {
    out.missing = error.kind() == ErrorKind::not_found;
    if (!out.missing) out.error = error.what();
  } catch (const std::exception& error) {
    out.error = std::string("another exception: ") + error.what();
  }
  if (out.missing) out.content = Content{}.hash();
  return outcomes_[key] = out;
}

void Campaign::judge(const FileBytes* bytes, const Driver& driver, const Promise& promise,
                     std::size_t from, bool unsafe, const std::string& how) {
  const Outcome& found = look_at(bytes);
  const std::string range = "(states " + std::to_string(from) + " to " +
                            std::to_string(promise.newest) + " are possible)";
  if (!found.error.empty()) {
    if (!unsafe) findings_.add("lost", where(how), found.error + " " + range);
    return;
  }
  std::string seen;
  const std::vector<Content>& states = driver.states();
  for (std::size_t i = 0; i < states.size(); ++i) {
    Content without = states[i];
    without.recorded = false;  // the file may have lost its pages, if it may have lost anything
    if (states[i].hash() != found.content && !(unsafe && without.hash() == found.content)) {
      continue;
    }
    if (i <= promise.newest && (unsafe || i >= from)) return;
    seen += (seen.empty() ? "state " : ", ") + std::to_string(i);
  }
  if (found.missing && unsafe) return;
  const bool known = found.missing || !seen.empty();
  findings_.add(known ? "lost" : "wrong", where(how),
                (found.missing  ? "no file"
                 : seen.empty() ? "a state that was never committed"
                                : seen) +
                    " " + range);
}

void Campaign::write_again(MemoryFiles& files, const std::string& how, bool durable,
                           bool anew) {
  io::forget_folders();
  const Shapes& shapes = workload_->shapes;
  Content wanted;
  try {
    if (files.file_at(kPath) >= 0) {
      Array array = Array::open(kPath, {.mode = Mode::read_write, .threads = 1});
      const FileBytes voxels(3, std::byte{77});
      array.write({{1, 5}, {2, 8}}, {voxels.data(), {1, 3}, {3, 1}}, 1);
      if (anew) {
        SaveOptions options;
        options.threads = 1;
        options.level = Level::durable;
        array.save(kPath, options);
      } else {
        array.flush(Level::durable);
      }
      const auto file = static_cast<std::size_t>(files.file_at(kPath));
      const std::size_t size = files.now().files[file].size();
      if (size != static_cast<std::size_t>(array.file_bytes())) {
        findings_.add("left", where(how),
                      "the file has " + std::to_string(size) + " bytes, its state " +
                          std::to_string(array.file_bytes()));
      }
      array.close();
    }
    wanted = files.file_at(kPath) >= 0 ? read_content(shapes, Access::mapped) : Content{};
    const FileBytes voxels(4);
    SaveOptions options;
    options.threads = 1;
    Array::save_voxels(kOther, {voxels.data(), {4}, {1}}, DType::parse("|u1"), {}, options);
  } catch (const Error& error) {
    findings_.add("left", where(how), std::string("the next writer fails: ") + error.what());
    return;
  }
  for (const auto& [name, file] : files.now().names) {
    if (name != kPath && name != kOther && name != MemoryFiles::kOutside) {
      findings_.add("left", where(how), "the next writer leaves " + name);
    }
  }
  if (!durable || !wanted.exists) return;
  const PowerCut cut(files.first(), files.log(), kPath);
  const CutState least = cut.least();
  const Outcome& found = look_at(least.exists ? &least.bytes : nullptr);
  if (found.content != wanted.hash()) {
    findings_.add(
        "lost", where(how),
        "a durable edit of the next writer: " + (found.missing         ? "no file"
                                                 : found.error.empty() ? "another state"
                                                                       : found.error));
  }
}

void Campaign::kill(std::size_t operation, bool whole) {
  const std::string how = (whole ? "kill " : "half ") + std::to_string(operation);
  if (!wanted(how)) return;
  ++totals_.kills;
  run_once(
      how, [&](MemoryFiles& files, Driver&) { files.kill_at(operation, whole); },
      [&](MemoryFiles& files, Driver& driver) {
        judge(files.now().find(kPath), driver, driver.promise(), driver.promise().after_kill,
              false, how);
        write_again(files, how, true);
      });
}

void Campaign::fail(const std::string& name, std::size_t number, const Fault& fault) {
  const std::string how = text_of(name, number, fault);
  if (!wanted(how)) return;
  ++totals_.failed_calls;
  run_once(
      how, [&](MemoryFiles& files, Driver&) { files.fail_at(name, number, fault); },
      [&](MemoryFiles& files, Driver& driver) {
        judge(files.now().find(kPath), driver, driver.promise(), driver.promise().after_kill,
              false, how);
        if (name == "fsync" || name == "fdatasync" || name == "sync_folder") {
          CutOptions few{.all_subsets_up_to = 3, .seeded = 6, .torn = 0, .seed = options_.seed};
          std::size_t last = ~std::size_t{0};
          for (const Promise& promise : driver.promises()) {
            if (promise.operation != last) {
              cut(files, driver, promise.operation, how + " cut ", few);
            }
            last = promise.operation;
          }
        }
        write_again(files, how, true, driver.promise().cut_unsafe);
      });
}

void Campaign::fail_and_kill(const std::string& name, std::size_t number, const Fault& fault,
                             std::size_t operation) {
  const std::string how = text_of(name, number, fault) + " kill " + std::to_string(operation);
  if (!wanted(how)) return;
  ++totals_.kills;
  run_once(
      how,
      [&](MemoryFiles& files, Driver&) {
        files.fail_at(name, number, fault);
        files.kill_at(operation, true);
      },
      [&](MemoryFiles& files, Driver& driver) {
        judge(files.now().find(kPath), driver, driver.promise(), driver.promise().after_kill,
              false, how);
        write_again(files, how, true, driver.promise().cut_unsafe);
      });
}

void Campaign::cut(MemoryFiles& files, const Driver& driver, std::size_t operation,
                   const std::string& how, const CutOptions& options) {
  const std::string at = how + std::to_string(operation);
  if (!options_.only.empty() && !options_.only.starts_with(at)) return;
  const Promise* promise = nullptr;
  for (const Promise& one : driver.promises()) {
    if (one.operation <= operation) promise = &one;
  }
  // Where nothing is promised, damage is likely, and slow: opening looks at it several times.
  CutOptions used = options;
  if (promise->cut_unsafe) used.limit(options_.unsafe);
  PowerCut power(files.first(), std::span(files.log()).first(operation), kPath);
  power.for_each(used, [&](const CutState& state) {
    if (done()) return;
    const std::string here = at + " with " + state.how;
    if (!wanted(here)) return;
    const bool fresh = disks_.insert(hash_of(state)).second;
    if (fresh) ++totals_.cuts;
    judge(state.exists ? &state.bytes : nullptr, driver, *promise, promise->after_cut,
          promise->cut_unsafe, here);
    if (!fresh || promise->cut_unsafe || hash_of(state) % options_.rewrite_every != 0) return;
    MemoryFiles rest(disk_of(state));
    const io::ScopedSystemCalls scope(rest);
    write_again(rest, here, true);
  });
}

void Campaign::run(const Workload& workload) {
  workload_ = &workload;
  name_ = workload.name;
  outcomes_.clear();
  disks_.clear();
  small_limits = workload.limits;
  std::vector<Operation> log;
  std::vector<Call> calls;
  // Without a fault: the readers of the process look at every operation.
  run_once(
      "whole",
      [](MemoryFiles& files, Driver& driver) {
        files.before_operation = [&] { driver.look_inside(); };
      },
      [&](MemoryFiles& files, Driver& driver) {
        log = files.log();
        calls = files.calls();
        judge(files.now().find(kPath), driver, driver.promise(), driver.promise().after_kill,
              false, "whole");
        if (options_.power_cuts) {
          CutOptions cuts = options_.cuts;
          cuts.seed += options_.seed;
          for (std::size_t i = 0; i <= log.size() && !done(); ++i) {
            if ((i + options_.seed) % workload.every != 0) continue;
            cut(files, driver, i, "cut ", cuts);
          }
        }
      });
  for (std::size_t i = 0; i < log.size() && options_.kills && !done(); ++i) {
    if ((i + options_.seed) % workload.every != 0) continue;
    kill(i, true);
    if (log[i].kind == Operation::Kind::write && log[i].data.size() > 512) kill(i, false);
  }
  std::map<std::string, std::size_t> numbers;
  for (std::size_t i = 0; i < calls.size() && options_.failures && !done(); ++i) {
    const std::string& name = calls[i].name;
    const std::size_t number = numbers[name]++;
    if ((i + options_.seed) % (options_.failure_every * workload.every) != 0) continue;
    for (const Fault& fault : faults_of(name, number + options_.seed))
      fail(name, number, fault);
  }
  Random random(options_.seed);
  for (std::size_t i = 0; i < options_.combined && options_.failures && options_.kills; ++i) {
    const std::string& name = calls[random.below(calls.size())].name;
    const std::size_t number = random.below(numbers[name]);
    const std::vector<Fault> faults = faults_of(name, number);
    if (faults.empty() || done()) continue;
    const Fault& fault = faults[random.below(faults.size())];
    const std::size_t operation = random.below(log.size() + 2);
    // Killed between two halves of a flip: AHalfFlipIsFoundBySalvage.
    const bool half = fault.way == kHalf || (name == "pwrite" && fault.code == 0);
    if (!half) fail_and_kill(name, number, fault, operation);
  }
  small_limits.clear();
}

}  // namespace test
}  // namespace mlarray
