// What the fuzz targets share. A target is one file that defines fuzz_input().
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "mlarray/error.hpp"

namespace mlarray::fuzz {

using Input = std::span<const std::byte>;

// A promise that the input broke: a finding.
inline void require(bool kept, const char* promise) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

// Whether `body` ran to its end. An Error is a right answer to wrong bytes; any other
// exception ends the process.
template <class Body>
bool accepts(Body&& body) {
  try {
    std::forward<Body>(body)();
    return true;
  } catch (const Error&) {
    return false;
  }
}

inline std::string_view as_text(Input input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

// Takes numbers off the front of an input: for targets whose input is no file but choices.
class Choices {
 public:
  explicit Choices(Input input) : rest_(input) {}

  std::uint64_t bits(std::size_t bytes) {
    std::uint64_t value = 0;
    for (; bytes > 0 && !rest_.empty(); --bytes, rest_ = rest_.subspan(1)) {
      value = (value << 8) | std::to_integer<std::uint64_t>(rest_[0]);
    }
    return value;
  }
  // In [low, high].
  std::int64_t number(std::int64_t low, std::int64_t high) {
    const auto range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
    const std::uint64_t value = bits(range > 0xffff ? 8 : range > 0xff ? 2 : 1);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) +
                                     (range == 0 ? value : value % range));
  }
  bool yes() { return (bits(1) & 1) != 0; }
  Input take(std::size_t size) {
    const Input taken = rest_.first(size < rest_.size() ? size : rest_.size());
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  Input rest() const { return rest_; }

 private:
  Input rest_;
};

}  // namespace mlarray::fuzz

// One input. Returns normally, or finds something.
void fuzz_input(mlarray::fuzz::Input input);
