// Faults that the tests of crash safety put into the library, to prove that they would be
// found. Only test_fault is compiled with them: it names one, and mutant() is true for that.
// Everywhere else mutant() is false when it is compiled, and nothing of it is left.
//
// A limit() is as its place says, and what the test says where that is to be reached with
// files of a few kilobytes.
#pragma once

#include <cstdint>

namespace mlarray::base {

#ifdef MLARRAY_MUTANTS
inline namespace with_mutants {
// In tests/cpp/fault: mutant_test.cpp and campaign.cpp.
bool mutant(const char* name);
std::uint64_t limit(const char* name, std::uint64_t usual);
}  // namespace with_mutants
#else
constexpr bool mutant(const char* /*name*/) { return false; }
constexpr std::uint64_t limit(const char* /*name*/, std::uint64_t usual) { return usual; }
#endif

}  // namespace mlarray::base
