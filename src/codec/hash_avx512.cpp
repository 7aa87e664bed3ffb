#define MLARRAY_HASH_KERNEL kAvx512Hash
#define MLARRAY_HASH_NAME "avx512"
// Built for the instruction set of its name: src/codec/CMakeLists.txt.
#include "codec/hash_kernel.inc"
