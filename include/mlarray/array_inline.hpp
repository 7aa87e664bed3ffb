// The templates of Array: numbers of a type T, handed on as bytes. Included by array.hpp.
#pragma once

#include "mlarray/array.hpp"

namespace mlarray {

// Numbers as bytes, and the type that the array must have. Of the library's own.
struct MLARRAY_EXPORT Array::Typed {
  using Bytes = std::span<std::byte>;
  using ConstBytes = std::span<const std::byte>;
  // Number of voxels of a box that can be read as elements of `type`.
  static std::size_t voxels_of(const Array& array, const Box& box, const DType& type,
                               bool padded);
  static void read(const Array& array, const Box& box, Bytes out, const DType& type,
                   int threads);
  static void read_padded(const Array& array, const Box& box, Bytes out, const DType& type,
                          ConstBytes fill, int threads);
  static void read_many(const Array& array, std::span<const Box> boxes, Bytes out,
                        const DType& type, int threads);
  static void read_many_padded(const Array& array, std::span<const Box> boxes, Bytes out,
                               const DType& type, ConstBytes fill, int threads);
  static void write(Array& array, const Box& box, ConstBytes voxels, const DType& type,
                    int threads);
};

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
  std::vector<T> out(Typed::voxels_of(*this, box, DType::of<T>(), false));
  Typed::read(*this, box, std::as_writable_bytes(std::span(out)), DType::of<T>(), threads);
  return out;
}

template <Element T>
void Array::read(const Box& box, std::span<T> out, int threads) const {
  Typed::read(*this, box, std::as_writable_bytes(out), DType::of<T>(), threads);
}

template <Element T>
  requires(!std::same_as<T, bool>)
std::vector<T> Array::read_padded(const Box& box, std::type_identity_t<T> fill,
                                  int threads) const {
  std::vector<T> out(Typed::voxels_of(*this, box, DType::of<T>(), true));
  read_padded<T>(box, std::span(out), fill, threads);
  return out;
}

template <Element T>
void Array::read_padded(const Box& box, std::span<T> out, std::type_identity_t<T> fill,
                        int threads) const {
  Typed::read_padded(*this, box, std::as_writable_bytes(out), DType::of<T>(),
                     std::as_bytes(std::span(&fill, 1)), threads);
}

template <Element T>
void Array::read_many(std::span<const Box> boxes, std::span<T> out, int threads) const {
  Typed::read_many(*this, boxes, std::as_writable_bytes(out), DType::of<T>(), threads);
}

template <Element T>
void Array::write(const Box& box, std::span<const T> voxels, int threads) {
  Typed::write(*this, box, std::as_bytes(voxels), DType::of<T>(), threads);
}

// The same with T found in what is given.

Array Array::in_memory(const Elements auto& voxels, const Shape& shape,
                       const Metadata& metadata, const SaveOptions& options) {
  using T = ElementOf<decltype(voxels)>;
  return in_memory<T>(std::span<const T>(voxels), shape, metadata, options);
}

void Array::save_voxels(const std::filesystem::path& path, const Elements auto& voxels,
                        const Shape& shape, const Metadata& metadata,
                        const SaveOptions& options) {
  using T = ElementOf<decltype(voxels)>;
  save_voxels<T>(path, std::span<const T>(voxels), shape, metadata, options);
}

void Array::read(const Box& box, WritableElements auto&& out, int threads) const {
  using T = ElementOf<decltype(out)>;
  read<T>(box, std::span<T>(out), threads);
}

void Array::read_padded(const Box& box, WritableElements auto&& out,
                        ElementOf<decltype(out)> fill, int threads) const {
  using T = ElementOf<decltype(out)>;
  read_padded<T>(box, std::span<T>(out), fill, threads);
}

void Array::read_many(std::span<const Box> boxes, WritableElements auto&& out,
                      int threads) const {
  using T = ElementOf<decltype(out)>;
  read_many<T>(boxes, std::span<T>(out), threads);
}

void Array::read_many_padded(std::span<const Box> boxes, WritableElements auto&& out,
                             ElementOf<decltype(out)> fill, int threads) const {
  using T = ElementOf<decltype(out)>;
  Typed::read_many_padded(*this, boxes, std::as_writable_bytes(std::span<T>(out)),
                          DType::of<T>(), std::as_bytes(std::span(&fill, 1)), threads);
}

void Array::write(const Box& box, const Elements auto& voxels, int threads) {
  using T = ElementOf<decltype(voxels)>;
  write<T>(box, std::span<const T>(voxels), threads);
}

}  // namespace mlarray
