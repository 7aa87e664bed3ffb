// The templates of Array: numbers of a type T, handed on as bytes. Included by array.hpp.
#pragma once

#include "mlarray/array.hpp"

namespace mlarray {

template <Element T>
Array Array::in_memory(std::span<const T> voxels, const Shape& shape, const Metadata& metadata,
                       const SaveOptions& options) {
  return in_memory(shape, DType::of<T>(), view_of(voxels, shape), metadata, options);
}

template <Element T>
void Array::save_voxels(const std::filesystem::path& path, std::span<const T> voxels,
                        const Shape& shape, const Metadata& metadata,
                        const SaveOptions& options) {
  save_voxels(path, view_of(voxels, shape), DType::of<T>(), metadata, options);
}

template <Element T>
  requires(!std::same_as<T, bool>)
std::vector<T> Array::read(const Box& box, int threads) const {
  std::vector<T> out(voxels_of(box, DType::of<T>(), false));
  read_elements(box, std::as_writable_bytes(std::span(out)), DType::of<T>(), threads);
  return out;
}

template <Element T>
void Array::read(const Box& box, std::span<T> out, int threads) const {
  read_elements(box, std::as_writable_bytes(out), DType::of<T>(), threads);
}

template <Element T>
  requires(!std::same_as<T, bool>)
std::vector<T> Array::read_padded(const Box& box, std::type_identity_t<T> fill,
                                  int threads) const {
  std::vector<T> out(voxels_of(box, DType::of<T>(), true));
  read_padded<T>(box, std::span(out), fill, threads);
  return out;
}

template <Element T>
void Array::read_padded(const Box& box, std::span<T> out, std::type_identity_t<T> fill,
                        int threads) const {
  read_padded_elements(box, std::as_writable_bytes(out), DType::of<T>(),
                       std::as_bytes(std::span(&fill, 1)), threads);
}

template <Element T>
void Array::read_many(std::span<const Box> boxes, std::span<T> out, int threads) const {
  read_many_elements(boxes, std::as_writable_bytes(out), DType::of<T>(), threads);
}

template <Element T>
void Array::write(const Box& box, std::span<const T> voxels, int threads) {
  write_elements(box, std::as_bytes(voxels), DType::of<T>(), threads);
}

}  // namespace mlarray
