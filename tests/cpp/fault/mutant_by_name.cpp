// For tests/soak/proof.py: the environment names the mutant. Its process waits there, so that a
// kill by the clock meets what lasts microseconds.
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/mutants.hpp"

namespace mlarray {

bool base::mutant(const char* name) {
  static const char* const active = std::getenv("MLARRAY_MUTANT");
  if (active == nullptr || std::string_view(active) != name) return false;
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return true;
}

}  // namespace mlarray
