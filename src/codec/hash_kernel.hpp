// One copy of XXH3 per instruction set, behind plain functions. Internal.
//
// The files that include this are compiled for CPUs that others may not have. So it includes
// nothing but xxhash.h: an inline function of the standard library, compiled here, could be the
// copy that the linker keeps for the whole program.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace mlarray::codec {

struct HashPart {
  const void* data;
  size_t size;
};

struct HashKernel {
  const char* name;
  uint64_t (*hash64)(const void* data, size_t size, uint64_t seed);
  // XXH3-128 with seed 0 of the parts one after another; high word first.
  void (*hash128)(const HashPart* parts, size_t count, uint64_t out[2]);
};

extern const HashKernel kBaselineHash;  // the instruction set the library is built for
#ifdef MLARRAY_HASH_X86
extern const HashKernel kAvx2Hash;
extern const HashKernel kAvx512Hash;
#endif

}  // namespace mlarray::codec
