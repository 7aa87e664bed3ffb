// Memory that is not set to anything. It begins with a line of the cache: rows of blocks, which
// are whole lines, are then never stored as parts of two.
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>

namespace mlarray::base {

class Memory {
 public:
  Memory() = default;
  // Errors: std::bad_alloc.
  explicit Memory(std::size_t bytes)
      : bytes_(static_cast<std::byte*>(::operator new(bytes, kLine))), size_(bytes) {}

  std::byte* data() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return bytes_ ? size_ : 0; }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Delete {
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, kLine); }
  };

  std::unique_ptr<std::byte, Delete> bytes_;
  std::size_t size_ = 0;
};

// Room for as many values as were ever needed.
template <class T = std::byte>
class Scratch {
 public:
  // What was in it is lost where it has to grow. Errors: std::bad_alloc.
  template <std::integral Count>
  std::span<T> get(Count count) {
    const auto wanted = static_cast<std::size_t>(count);
    if (memory_.data() == nullptr || wanted > memory_.size() / sizeof(T)) grow(wanted);
    return {reinterpret_cast<T*>(memory_.data()), wanted};
  }
  void trim(std::size_t most_bytes) {
    if (memory_.size() > most_bytes) memory_ = {};
  }

 private:
  void grow(std::size_t count) {
    constexpr std::size_t kMost = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);
    if (count > kMost) throw std::bad_array_new_length();
    memory_ = {};  // so that both are never there
    memory_ = Memory(count * sizeof(T));
  }

  Memory memory_;
};

}  // namespace mlarray::base
