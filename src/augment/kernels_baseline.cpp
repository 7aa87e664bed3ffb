#define MLARRAY_AUGMENT_KERNELS kBaselineKernels
#define MLARRAY_AUGMENT_NAME "baseline"
#include "augment/kernels.inc"
