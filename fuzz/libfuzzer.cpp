// The entry point that libFuzzer calls, for builds with MLARRAY_FUZZING.
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input(std::as_bytes(std::span(data, size)));
  return 0;
}
