// What programs do with a file, each short enough to be cut at every operation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "driver.hpp"

namespace mlarray::test {

// Of base::limit(), so that small files reach what large ones do.
using Limits = std::map<std::string, std::uint64_t>;

struct Workload {
  std::string name;
  std::function<void(Driver&)> body;
  bool file_exists = true;  // at first
  bool by_link = false;     // it uses a symbolic link that leads to the file
  Shapes shapes = {};
  Limits limits = {};
  std::size_t every = 1;  // one in so many operations is killed or cut, and calls fail
};

// Small ones, each at the levels that it is about.
std::vector<Workload> workloads();
// Those whose file is rewritten on close.
std::vector<Workload> large_workloads();

}  // namespace mlarray::test
