// The version of the library (semantic versioning).
#pragma once

#define MLARRAY_VERSION "1.0.0"
