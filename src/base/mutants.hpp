// Faults that the tests of crash safety put into the library, to prove that they would be
// found. Only test_fault is compiled with them: it names one, and mutant() is true for that.
// Everywhere else mutant() is false when it is compiled, and nothing of it is left.
#pragma once

namespace mlarray::base {

#ifdef MLARRAY_MUTANTS
inline namespace with_mutants {
bool mutant(const char* name);  // tests/cpp/fault/mutant_test.cpp
}
#else
constexpr bool mutant(const char* /*name*/) { return false; }
#endif

}  // namespace mlarray::base
