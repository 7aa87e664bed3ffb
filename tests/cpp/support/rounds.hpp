// How often a test repeats itself with other random numbers.
#pragma once

namespace mlarray::test {

// A fifth where sanitizers make each round five times as slow and more.
constexpr int rounds(int count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return count / 5;
#else
  return count;
#endif
}

}  // namespace mlarray::test
