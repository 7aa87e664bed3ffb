#define MLARRAY_HASH_KERNEL kBaselineHash
#define MLARRAY_HASH_NAME "baseline"
#include "codec/hash_kernel.inc"
