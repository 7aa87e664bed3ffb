// The main of a target without libFuzzer: runs it once on every file that is named, and on
// every file of every folder. This is how CTest replays the corpus and how a crash is looked
// at.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(int count, char** names) {
  std::vector<fs::path> files;
  for (int i = 1; i < count; ++i) {
    if (!fs::is_directory(names[i])) {
      files.emplace_back(names[i]);
      continue;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(names[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int count, char** names) {
  const std::vector<fs::path> files = files_of(count, names);
  if (files.empty()) {
    std::fprintf(stderr, "usage: %s FILE|FOLDER...  (no inputs were found)\n", names[0]);
    return 2;
  }
  double slowest = 0;
  fs::path slowest_file;
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    if (!stream) {
      std::fprintf(stderr, "cannot read %s\n", file.c_str());
      return 2;
    }
    // Said before, because a finding ends the process.
    std::fprintf(stderr, "%s\n", file.c_str());
    const auto begin = std::chrono::steady_clock::now();
    fuzz_input(std::as_bytes(std::span(bytes)));
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (taken.count() > slowest) {
      slowest = taken.count();
      slowest_file = file;
    }
  }
  std::fprintf(stderr, "%zu inputs, the slowest took %.3f s: %s\n", files.size(), slowest,
               slowest_file.c_str());
}
