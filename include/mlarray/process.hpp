// What holds for every Array of the process.
#pragma once

#include <string>
#include <vector>

#include "mlarray/export.hpp"

namespace mlarray {

// Threads that one call may use, process-wide. Starts as MLARRAY_NUM_THREADS, or else the
// number of processors this process may run on, or fewer by the quota of its cgroup. Errors:
// invalid_value for n < 1.
MLARRAY_EXPORT void set_num_threads(int n);
MLARRAY_EXPORT int num_threads();

// Whether seals and checksums are verified where OpenOptions::verify does not say it,
// process-wide, also for arrays that are open. Starts as MLARRAY_VERIFY (0 or 1), or else on.
// Errors: invalid_value for a variable that is neither.
MLARRAY_EXPORT void set_verification(bool on);
MLARRAY_EXPORT bool verification();

// Paths whose older writer in this process was detached (Array::open) since the last call.
MLARRAY_EXPORT std::vector<std::string> take_detached_notice();
// Commits and closes every open writer: for the exit of the process.
MLARRAY_EXPORT void close_all_writers() noexcept;

}  // namespace mlarray
