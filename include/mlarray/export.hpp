// MLARRAY_EXPORT: what a shared library makes visible; everything else is hidden.
// CMake and pkg-config define MLARRAY_SHARED for those who link the shared library. Without it
// nothing is marked, so a program or extension that holds the static library exports none of
// it.
#pragma once

#if !defined(MLARRAY_SHARED)
#define MLARRAY_EXPORT
#elif !defined(_WIN32)
#define MLARRAY_EXPORT __attribute__((visibility("default")))
#elif defined(MLARRAY_BUILDING)
#define MLARRAY_EXPORT __declspec(dllexport)
#else
#define MLARRAY_EXPORT __declspec(dllimport)
#endif
