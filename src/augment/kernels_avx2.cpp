#define MLARRAY_AUGMENT_KERNELS kAvx2Kernels
#define MLARRAY_AUGMENT_NAME "avx2"
// Built for the instruction set of its name: src/augment/CMakeLists.txt.
#include "augment/kernels.inc"
