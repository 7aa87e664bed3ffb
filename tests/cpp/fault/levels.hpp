// Levels of a commit as the options of the library name them.
#pragma once

#include "driver.hpp"
#include "mlarray/array.hpp"

namespace mlarray::test {

template <class Options>
void set_level(Options& options, Level level) {
  if constexpr (requires { options.level; }) {
    options.level = static_cast<decltype(options.level)>(level);
  } else if constexpr (requires { options.durable; }) {
    options.durable = level == Level::durable;
  }
}

template <class SomeArray, class Options = OpenOptions>
void flush_at(SomeArray& array, Level level) {
  if constexpr (requires { Options{}.level; }) {
    Options options;
    set_level(options, level);
    array.flush(options.level);
  } else {
    array.flush(level == Level::durable);
  }
}

}  // namespace mlarray::test
