// Where in a tree a writer is: "source.patient[3]". A chain on the stack; text only on error.
#pragma once

#include <cstddef>
#include <string>

#include "mlarray/error.hpp"
#include "mlarray/value.hpp"

namespace mlarray::encoding {

class ValuePath {
 public:
  ValuePath() = default;
  ValuePath(const ValuePath& parent, const Value& key)
      : parent_(&parent), key_(&key), depth_(parent.depth_ + 1) {}
  ValuePath(const ValuePath& parent, std::size_t index)
      : parent_(&parent), index_(index), depth_(parent.depth_ + 1) {}

  std::size_t depth() const noexcept { return depth_; }  // containers around the value

  std::string text() const {
    if (parent_ == nullptr) return "";
    std::string before = parent_->text();
    if (key_ == nullptr) return before.append(1, '[').append(std::to_string(index_)) + ']';
    if (!before.empty()) before += '.';
    const auto* name = key_->get_if<std::string>();
    return before + (name != nullptr ? *name : to_json(*key_));
  }

  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const {
    const std::string where = text();
    throw Error(kind, (where.empty() ? "the value" : where) + ": " + what);
  }

  // Errors: unsupported for what the decoders of this folder would refuse to read again.
  void check_depth(std::size_t limit) const {
    if (depth_ >= limit) {
      fail(ErrorKind::unsupported,
           "nested deeper than " + std::to_string(limit) + " levels, which is the limit");
    }
  }

 private:
  const ValuePath* parent_ = nullptr;
  const Value* key_ = nullptr;
  std::size_t index_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace mlarray::encoding
