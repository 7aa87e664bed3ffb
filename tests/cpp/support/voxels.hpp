// Arrays to test with, and plain element-by-element twins of what the library does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/array.hpp"

namespace mlarray::test {

// An int16 array in C order: a ramp with some noise, so that it compresses a little.
struct Voxels {
  Shape shape;
  std::vector<std::int16_t> data;

  explicit Voxels(Shape s, unsigned seed = 1) : shape(std::move(s)) {
    data.resize(static_cast<std::size_t>(element_count(shape)));
    std::mt19937 random(seed);
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = static_cast<std::int16_t>(i / 7 + random() % 11);
    }
  }
  std::vector<std::int64_t> strides() const { return grid::c_strides(shape, 2); }
  ConstArrayView view() const {
    return {reinterpret_cast<const std::byte*>(data.data()), shape, strides()};
  }
  Box whole() const { return {Shape(shape.size(), 0), shape}; }

  std::size_t offset(const Shape& position) const {
    std::int64_t n = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) n = n * shape[i] + position[i];
    return static_cast<std::size_t>(n);
  }
  // Calls body(position) for every voxel of a box, in C order.
  template <class Body>
  static void for_each(const Box& box, Body body) {
    if (box.empty()) return;
    Shape position = box.start;
    for (;;) {
      body(position);
      std::size_t axis = position.size();
      while (axis-- > 0) {
        if (++position[axis] < box.stop[axis]) break;
        position[axis] = box.start[axis];
      }
      if (axis == static_cast<std::size_t>(-1)) return;
    }
  }
  std::vector<std::int16_t> cut(const Box& box) const {
    std::vector<std::int16_t> out;
    for_each(box, [&](const Shape& p) { out.push_back(data[offset(p)]); });
    return out;
  }
  void put(const Box& box, std::span<const std::int16_t> values) {
    std::size_t i = 0;
    for_each(box, [&](const Shape& p) { data[offset(p)] = values[i++]; });
  }
};

inline std::vector<std::int16_t> read(const Array& array, const Box& box, int threads = 0) {
  std::vector<std::int16_t> out(static_cast<std::size_t>(element_count(box.shape())));
  array.read(box, std::as_writable_bytes(std::span(out)), threads);
  return out;
}

inline std::vector<std::int16_t> read_all(const Array& array) {
  return read(array, {Shape(array.shape().size(), 0), array.shape()});
}

inline void write(Array& array, const Box& box, const std::vector<std::int16_t>& values) {
  array.write(box, {reinterpret_cast<const std::byte*>(values.data()), box.shape(),
                    grid::c_strides(box.shape(), 2)});
}

inline Box random_box(const Shape& shape, std::mt19937& random) {
  Box box;
  for (const std::int64_t length : shape) {
    const auto a = static_cast<std::int64_t>(random() % static_cast<unsigned>(length + 1));
    const auto b = static_cast<std::int64_t>(random() % static_cast<unsigned>(length + 1));
    box.start.push_back(std::min(a, b));
    box.stop.push_back(std::max(a, b));
  }
  return box;
}

inline SaveOptions with_layout(Shape chunk, Shape block) {
  SaveOptions options;
  options.layout.chunk = std::move(chunk);
  options.layout.block = std::move(block);
  return options;
}

// Metadata to tell states of a file by.
inline Metadata with_text(const std::string& text) {
  Metadata out;
  Map map;
  map.set("text", text);
  out.set("extra", "extra", std::move(map));
  return out;
}

inline DType int16() { return DType::parse("<i2"); }

}  // namespace mlarray::test
