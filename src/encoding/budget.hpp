// What is left of a document's DecodeLimits. One object per document; not synchronised.
#pragma once

#include <cstdint>
#include <string>

#include "encoding/msgpack.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {

class Budget {
 public:
  Budget(const DecodeLimits& limits, const char* format)
      : limits_(limits),
        items_left_(limits.max_items),
        bytes_left_(limits.max_bytes),
        format_(format) {}

  // Errors of all: unsupported, naming the limit.
  void take_item() {
    if (items_left_ == 0) fail("more than " + std::to_string(limits_.max_items) + " values");
    --items_left_;
  }
  void take_bytes(std::uint64_t count) {
    if (count > bytes_left_) {
      fail("more than " + std::to_string(limits_.max_bytes) + " bytes of text");
    }
    bytes_left_ -= static_cast<std::size_t>(count);
  }
  // `depth` containers are open.
  void check_depth(std::size_t depth) const {
    if (depth > limits_.max_depth) {
      fail("nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::unsupported,
                std::string(format_) + ": " + what + ", which is the limit for metadata");
  }

  DecodeLimits limits_;
  std::size_t items_left_;
  std::size_t bytes_left_;
  const char* format_;
};

}  // namespace mlarray::encoding
