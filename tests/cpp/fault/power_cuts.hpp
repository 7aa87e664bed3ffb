// What a disk may hold after a power cut: of the operations that no sync has made safe, any
// subset, torn at sectors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "memory_files.hpp"

namespace mlarray::test {

// A small generator whose numbers are the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(next() % end); }

 private:
  std::uint64_t state_;
};

struct CutOptions {
  std::size_t all_subsets_up_to = 10;  // operations; beyond: prefixes, all but one, each alone
  std::size_t seeded = 200;            // and so many subsets at random
  std::size_t torn = 4;                // contexts in which each write is torn in each way
  std::uint64_t seed = 1;

  // At most as many of each as `other`.
  void limit(const CutOptions& other) {
    all_subsets_up_to = std::min(all_subsets_up_to, other.all_subsets_up_to);
    seeded = std::min(seeded, other.seeded);
    torn = std::min(torn, other.torn);
  }
};

// One state, with the file at one path; what is left beside it has only a name.
struct CutState {
  std::vector<std::string> names;
  bool exists = false;
  FileBytes bytes;
  std::string how;  // which operations it has, for messages
};

// Of the disk that held `first` and of the operations until the cut.
class PowerCut {
 public:
  PowerCut(const Disk& first, std::span<const Operation> log, std::string path);

  std::size_t pending() const { return pending_.size(); }
  // Calls `look` with every state of the list above, some of them more than once.
  void for_each(const CutOptions& options, const std::function<void(const CutState&)>& look);
  // The state in which nothing is written that no sync has made safe.
  CutState least() const;

 private:
  // What becomes of one operation.
  enum class Fate : std::uint8_t { lost, whole, size_only, front, back, scattered };

  CutState state(std::span<const Fate> fates, std::uint64_t seed) const;
  void write(FileBytes& file, const Operation& write, Fate fate, std::uint64_t seed) const;

  const Disk& first_;
  std::span<const Operation> log_;
  std::string path_;
  std::vector<bool> safe_;            // by operation
  std::vector<std::size_t> pending_;  // the numbers of those that are not safe
};

}  // namespace mlarray::test
