#include "augment/kernels.hpp"

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"

namespace mlarray::augment {
namespace {

std::vector<const Kernels*> usable() {
  std::vector<const Kernels*> list;
#ifdef MLARRAY_AUGMENT_X86
  // These include a system that saves the registers.
  if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
      __builtin_cpu_supports("fma") != 0) {
    list.push_back(&kAvx512Kernels);
  }
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    list.push_back(&kAvx2Kernels);
  }
#endif
  list.push_back(&kBaselineKernels);
  return list;
}

const std::vector<const Kernels*>& sets() {
  static const std::vector<const Kernels*> found = usable();
  return found;
}

std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> one = sets().front();
  return one;
}

}  // namespace

const Kernels& kernels() { return *chosen().load(std::memory_order_relaxed); }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names = {kernels().name};
  for (const Kernels* one : sets()) {
    if (one != &kernels()) names.emplace_back(one->name);
  }
  return names;
}

void use_instruction_set(const std::string& name) {
  if (name.empty()) {
    chosen() = sets().front();
    return;
  }
  std::string known;
  for (const Kernels* one : sets()) {
    if (name == one->name) {
      chosen() = one;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(one->name);
  }
  throw Error(ErrorKind::invalid_value,
              "instruction set \"" + name + "\" is not one of this CPU: " + known);
}

}  // namespace mlarray::augment
