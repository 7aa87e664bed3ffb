// The loops over voxels, one copy per instruction set, behind plain functions. Internal.
//
// The files that define them are compiled for CPUs that others may not have. So they include
// nothing of the standard library but C headers: an inline function of it, compiled there,
// could be the copy that the linker keeps for the whole program.
#pragma once

#include <stdint.h>

namespace mlarray::augment {

// Where the voxels of one row of the patch come from: for each the voxel before it along every
// axis, and how far it is from there to the next. Arrays of kRowStep more than the row.
struct RowPlaces {
  int32_t *z, *y, *x;
  int32_t* at;  // z * step_z + y * step_y + x
  float *fz, *fy, *fx;
};
inline constexpr int64_t kRowStep = 16;

// Voxels whose label is voted on, as lists. `at` is in `labels` of the call.
struct Ballot {
  int64_t count;
  int32_t* at;
  float *fz, *fy, *fx;
  uint8_t* odd;  // bit 0: x of the initial patch is odd; bit 1: y; bit 2: z
  int64_t* out;
};

struct Sums {
  double sum, squares;  // of x - shift
  float least, greatest;
};

struct Kernels {
  const char* name;

  // Places of `count` voxels from `start` on (z, y, x), `step` from one to the next.
  void (*places)(const float start[3], const float step[3], int64_t count, int64_t step_z,
                 int64_t step_y, const RowPlaces& out);
  // The same of coordinates that are in out.fz, fy and fx.
  void (*places_at)(int64_t count, int64_t step_z, int64_t step_y, const RowPlaces& out);
  // Linear interpolation at places, all of whose neighbours are there. `ahead`: from a place to
  // one that will be needed soon.
  void (*sample)(const float* voxels, int64_t step_z, int64_t step_y, const RowPlaces& places,
                 int64_t count, int64_t ahead, float* out);
  // The same between rows of one plane.
  void (*sample_plane)(const float* voxels, int64_t step_y, const RowPlaces& places,
                       int64_t count, float* out);
  // Cubic interpolation, likewise; planar: between the rows of one plane.
  void (*sample_cubic)(const float* voxels, int64_t step_z, int64_t step_y, bool planar,
                       const RowPlaces& places, int64_t count, float* out);
  // Of the four voxels around a place, the first one before the voxel that it is `t` beyond.
  void (*cubic_weights)(float t, float weights[4]);
  // Of four rows around `count` cells of 2 x 2 x 2 labels: 1 more than their label where it is
  // one, else kMixed. False where a label does not fit, -1 to 253; wide_cells then: their
  // label, or kWideMixed.
  bool (*cells)(const int16_t* a, const int16_t* b, const int16_t* c, const int16_t* d,
                int64_t count, uint8_t* out);
  void (*wide_cells)(const int16_t* a, const int16_t* b, const int16_t* c, const int16_t* d,
                     int64_t count, int16_t* out);
  // The labels of cells[at[i]]; places of mixed ones go to `mixed`. Returns how many.
  int64_t (*look_up)(const uint8_t* cells, const int32_t* at, int64_t count, int64_t ahead,
                     int16_t* out, int32_t* mixed);
  int64_t (*wide_look_up)(const int16_t* cells, const int32_t* at, int64_t count, int64_t ahead,
                          int16_t* out, int32_t* mixed);
  // Asks for what vote() will read.
  void (*fetch_corners)(const int16_t* labels, int64_t step_z, int64_t step_y, int64_t at);
  void (*vote)(const int16_t* labels, int64_t step_z, int64_t step_y, const Ballot& ballot,
               int16_t* out);

  void (*multiply)(float* x, int64_t count, float factor);
  // x = clamp(x * factor + shift, least, greatest)
  void (*stretch)(float* x, int64_t count, float factor, float shift, float least,
                  float greatest);
  // x += sigma * normal; the numbers depend on the place of a voxel and the keys alone.
  void (*noise)(float* x, int64_t count, float sigma, const uint32_t keys[3]);
  // x = sqrt(x^2 + y^2) + shift
  void (*magnitude)(float* x, const float* y, int64_t count, float shift);
  Sums (*sums)(const float* x, int64_t count, float shift);
  // x = power((x - least) * inverse, gamma) * range + offset; sums of the result.
  Sums (*gamma)(float* x, int64_t count, float factor, float least, float inverse, float gamma,
                float range, float offset, float shift);
  // out = the sum of weights[k] * rows[k]
  void (*weigh)(const float* const* rows, const float* weights, int64_t rows_count,
                int64_t count, float* out);
  // out = a * (1 - t) + b * t
  void (*blend)(const float* a, const float* b, float t, int64_t count, float* out);
  // out[i] = row[at[i]] * (1 - t[i]) + row[at[i] + 1] * t[i]
  void (*widen)(const float* row, const int32_t* at, const float* t, int64_t count, float* out);
  void (*pick)(const float* row, const int32_t* at, int64_t count, float* out);
  void (*pick_labels)(const int16_t* row, const int32_t* at, int64_t count, int16_t* out);
  void (*reverse)(const float* row, int64_t count, float* out);
  void (*reverse_labels)(const int16_t* row, int64_t count, int16_t* out);
  void (*raise_labels)(int16_t* x, int64_t count);  // -1 becomes 0
};

inline constexpr int16_t kMixed = 255;
inline constexpr int16_t kWideMixed = INT16_MIN;

extern const Kernels kBaselineKernels;  // the instruction set the library is built for
#ifdef MLARRAY_AUGMENT_X86
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

// The one in use.
const Kernels& kernels();

}  // namespace mlarray::augment
