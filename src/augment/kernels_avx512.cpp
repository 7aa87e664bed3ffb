#define MLARRAY_AUGMENT_KERNELS kAvx512Kernels
#define MLARRAY_AUGMENT_NAME "avx512"
// Built for the instruction set of its name: src/augment/CMakeLists.txt.
#include "augment/kernels.inc"
