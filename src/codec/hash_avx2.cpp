#define MLARRAY_HASH_KERNEL kAvx2Hash
#define MLARRAY_HASH_NAME "avx2"
// Built for the instruction set of its name: src/codec/CMakeLists.txt.
#include "codec/hash_kernel.inc"
