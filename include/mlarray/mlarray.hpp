// Every public header at once. array.hpp is the place to begin reading.
#pragma once

#include "mlarray/affine.hpp"
#include "mlarray/array.hpp"
#include "mlarray/dtype.hpp"
#include "mlarray/error.hpp"
#include "mlarray/layout.hpp"
#include "mlarray/metadata.hpp"
#include "mlarray/options.hpp"
#include "mlarray/process.hpp"
#include "mlarray/salvage.hpp"
#include "mlarray/statistics.hpp"
#include "mlarray/types.hpp"
#include "mlarray/value.hpp"
#include "mlarray/verify.hpp"
#include "mlarray/version.hpp"
