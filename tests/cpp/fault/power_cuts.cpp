#include "power_cuts.hpp"

#include <algorithm>
#include <utility>

namespace mlarray::test {
namespace {

constexpr std::uint64_t kSector = 512;

bool is_name(Operation::Kind kind) {
  return kind == Operation::Kind::create || kind == Operation::Kind::rename ||
         kind == Operation::Kind::unlink;
}

bool is_data(Operation::Kind kind) {
  return kind == Operation::Kind::write || kind == Operation::Kind::truncate;
}

}  // namespace

PowerCut::PowerCut(const Disk& first, std::span<const Operation> log, std::string path)
    : first_(first), log_(log), path_(std::move(path)), safe_(log.size(), false) {
  // By a failed sync. Names are not: their journal is written again, or the disk is gone.
  std::vector<bool> forgotten(log.size(), false);
  for (std::size_t s = 0; s < log.size(); ++s) {
    const bool folder = log[s].kind == Operation::Kind::sync_folder;
    if (!folder && log[s].kind != Operation::Kind::sync) continue;
    if (folder && log[s].failed) continue;
    for (std::size_t i = 0; i < s; ++i) {
      const bool meant =
          folder ? is_name(log[i].kind) : is_data(log[i].kind) && log[i].file == log[s].file;
      if (!meant || safe_[i] || forgotten[i]) continue;
      (log[s].failed ? forgotten : safe_)[i] = true;
    }
  }
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (!safe_[i] && (is_name(log[i].kind) || is_data(log[i].kind))) pending_.push_back(i);
  }
}

void PowerCut::write(FileBytes& file, const Operation& write, Fate fate,
                     std::uint64_t seed) const {
  if (fate == Fate::lost) return;
  if (write.kind == Operation::Kind::truncate) {
    file.resize(static_cast<std::size_t>(write.size));
    return;
  }
  const std::uint64_t begin = write.offset;
  const std::uint64_t end = begin + write.data.size();
  const std::uint64_t first = begin / kSector;
  const std::uint64_t sectors = (end + kSector - 1) / kSector - first;
  Random random(seed + begin);
  const std::uint64_t bits = random.next();
  const auto has = [&](std::uint64_t sector) {
    switch (fate) {
      case Fate::front:
        return sector < sectors / 2;
      case Fate::back:
        return sector >= sectors / 2;
      case Fate::scattered:
        return ((bits >> (sector % 64)) & 1u) != 0;
      default:
        return fate == Fate::whole;
    }
  };
  // Where only the front was written, the size may not have been told either.
  std::uint64_t size = end;
  if (fate == Fate::front) size = std::max(begin, (first + sectors / 2) * kSector);
  if (file.size() < size) file.resize(static_cast<std::size_t>(size));
  for (std::uint64_t sector = 0; sector < sectors; ++sector) {
    if (!has(sector)) continue;
    const std::uint64_t from = std::max(begin, (first + sector) * kSector);
    const std::uint64_t to = std::min(end, (first + sector + 1) * kSector);
    std::copy(write.data.begin() + static_cast<std::ptrdiff_t>(from - begin),
              write.data.begin() + static_cast<std::ptrdiff_t>(to - begin),
              file.begin() + static_cast<std::ptrdiff_t>(from));
  }
}

CutState PowerCut::state(std::span<const Fate> fates, std::uint64_t seed) const {
  std::vector<Fate> all(log_.size(), Fate::whole);
  CutState out;
  for (std::size_t p = 0; p < pending_.size(); ++p) {
    all[pending_[p]] = fates[p];
    if (fates[p] == Fate::lost) continue;
    static constexpr const char* kWays[] = {"", "", "size", "front", "back", "scattered"};
    out.how += (out.how.empty() ? "" : ",") + std::to_string(pending_[p]) +
               kWays[static_cast<std::size_t>(fates[p])];
  }
  std::map<std::string, int> names = first_.names;
  for (std::size_t i = 0; i < log_.size(); ++i) {
    const Operation& operation = log_[i];
    if (!is_name(operation.kind) || all[i] == Fate::lost) continue;
    if (operation.kind != Operation::Kind::create) names.erase(operation.path);
    if (operation.kind == Operation::Kind::create) names[operation.path] = operation.file;
    if (operation.kind == Operation::Kind::rename) names[operation.to] = operation.file;
  }
  for (const auto& [name, file] : names) out.names.push_back(name);
  const auto found = names.find(path_);
  if (found == names.end()) return out;
  const int file = found->second;
  out.exists = true;
  if (static_cast<std::size_t>(file) < first_.files.size()) {
    out.bytes = first_.files[static_cast<std::size_t>(file)];
  }
  for (std::size_t i = 0; i < log_.size(); ++i) {
    if (log_[i].file == file && is_data(log_[i].kind)) {
      write(out.bytes, log_[i], all[i], seed);
    }
  }
  return out;
}

CutState PowerCut::least() const {
  return state(std::vector<Fate>(pending_.size(), Fate::lost), 0);
}

void PowerCut::for_each(const CutOptions& options,
                        const std::function<void(const CutState&)>& look) {
  const std::size_t count = pending_.size();
  Random random(options.seed);
  const auto one = [&](const std::vector<Fate>& fates) { look(state(fates, random.next())); };
  const auto some = [&](auto choose) {
    std::vector<Fate> fates(count);
    for (std::size_t p = 0; p < count; ++p) fates[p] = choose(p) ? Fate::whole : Fate::lost;
    return fates;
  };
  const auto seeded = [&] {
    const std::uint64_t bits[] = {random.next(), random.next()};
    return some([&](std::size_t p) { return ((bits[p / 64 % 2] >> (p % 64)) & 1u) != 0; });
  };
  if (count <= options.all_subsets_up_to) {
    for (std::size_t mask = 0; mask < std::size_t{1} << count; ++mask) {
      one(some([&](std::size_t p) { return ((mask >> p) & 1u) != 0; }));
    }
  } else {
    for (std::size_t end = 0; end <= count; ++end) {
      one(some([&](std::size_t p) { return p < end; }));
    }
    for (std::size_t alone = 0; alone < count; ++alone) {
      one(some([&](std::size_t p) { return p == alone; }));
      one(some([&](std::size_t p) { return p != alone; }));
    }
    for (std::size_t i = 0; i < options.seeded; ++i) one(seeded());
  }
  for (std::size_t p = 0; p < count; ++p) {
    const Operation& write = log_[pending_[p]];
    if (write.kind != Operation::Kind::write) continue;
    const bool torn =
        write.offset / kSector != (write.offset + write.data.size() - 1) / kSector;
    for (const Fate fate : {Fate::size_only, Fate::front, Fate::back, Fate::scattered}) {
      if (!torn && fate != Fate::size_only) continue;
      for (std::size_t i = 0; i < options.torn; ++i) {
        std::vector<Fate> fates = i == 0   ? some([](std::size_t) { return true; })
                                  : i == 1 ? some([&](std::size_t q) { return q < p; })
                                           : seeded();
        fates[p] = fate;
        one(fates);
      }
    }
  }
}

}  // namespace mlarray::test
