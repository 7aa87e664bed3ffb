// class_locations of nnU-Net's .pkl files, read as data.
#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/naming.hpp"
#include "encoding/pickle.hpp"
#include "io/byte_source.hpp"
#include "mlarray/error.hpp"
#include "mlarray/training/label_index.hpp"
#include "parallel/thread_pool.hpp"
#include "training/cache.hpp"

namespace mlarray::training {
namespace {

// A file of 117 classes has 37 MB.
constexpr std::uint64_t kMostPickleBytes = std::uint64_t{1} << 30;

[[noreturn]] void throw_wrong(const std::string& what) {
  throw Error(ErrorKind::invalid_value,
              what + "; give a .pkl that nnU-Net's preprocessing has written");
}

template <class T>
const T& as(const Value& value, const std::string& what) {
  const T* const found = value.get_if<T>();
  if (found == nullptr) throw_wrong(what);
  return *found;
}

// What NumPy pickles of an array, in either of its ways.
struct PickledArray {
  Shape shape;
  DType dtype;
  bool fortran = false;
  const std::string* bytes = nullptr;
};

Shape shape_in(const Value& value, const std::string& name) {
  Shape out;
  for (const Value& length : as<List>(value, name + " has no shape").items) {
    out.push_back(as<std::int64_t>(length, name + " has no shape"));
  }
  return out;
}

PickledArray array_in(const Value& value, const std::string& name) {
  const std::string no_array = name + " is no array of NumPy's";
  const Opaque& object = as<Opaque>(value, no_array);
  PickledArray out;
  const Value* dtype = nullptr;
  const Value* bytes = nullptr;
  if (object.class_name.ends_with("multiarray._reconstruct") && !object.state.empty()) {
    // (version, shape, dtype, in Fortran's order, bytes)
    const List& state = as<List>(object.state.back(), no_array);
    if (state.items.size() != 5) throw_wrong(no_array);
    out.shape = shape_in(state.items[1], name);
    dtype = &state.items[2];
    out.fortran = as<bool>(state.items[3], no_array);
    bytes = &state.items[4];
  } else if (object.class_name.ends_with("numeric._frombuffer") && object.state.size() >= 4) {
    // (bytes, dtype, shape, order)
    bytes = &object.state[0];
    dtype = &object.state[1];
    out.shape = shape_in(object.state[2], name);
    out.fortran = as<std::string>(object.state[3], no_array) == "F";
  } else {
    throw_wrong(no_array);
  }
  const Opaque& type = as<Opaque>(*dtype, no_array);
  if (type.class_name != "numpy.dtype" || type.state.empty()) throw_wrong(no_array);
  out.dtype = DType::parse(as<std::string>(type.state[0], no_array));
  out.bytes = &as<Bytes>(*bytes, no_array).data;
  return out;
}

std::int64_t number_at(const PickledArray& array, std::size_t i) {
  const auto size = static_cast<std::size_t>(array.dtype.itemsize());
  std::uint64_t bits = 0;
  for (std::size_t k = 0; k < size; ++k) {
    const std::size_t at = array.dtype.big_endian() ? size - 1 - k : k;
    bits |= std::uint64_t{static_cast<unsigned char>((*array.bytes)[i * size + at])} << (8 * k);
  }
  if (array.dtype.kind() == 'u') return static_cast<std::int64_t>(bits);
  const auto unused = static_cast<unsigned>(64 - 8 * size);
  return static_cast<std::int64_t>(bits << unused) >> unused;  // spreads the sign
}

// The voxels of an array (n, 1 + axes of space), whose first column is the channel; it is left
// out where the shape has none.
std::vector<std::int64_t> voxels_in(const Value& value, const Shape& shape,
                                    const std::string& name) {
  const List* const list = value.get_if<List>();
  if (list != nullptr && list->items.empty()) return {};  // none of this class
  const PickledArray array = array_in(value, name);
  if (!array.shape.empty() && array.shape[0] == 0) return {};
  const std::size_t axes = shape.size();
  if (array.shape.size() != 2 || array.shape[0] < 0 || array.shape[1] < 1 ||
      (static_cast<std::size_t>(array.shape[1]) != axes &&
       static_cast<std::size_t>(array.shape[1]) != axes + 1)) {
    throw_wrong(name + " has the shape " + to_string(array.shape) +
                ", which is no list of voxels of an array of shape " + to_string(shape));
  }
  if (array.dtype.structured() || (array.dtype.kind() != 'i' && array.dtype.kind() != 'u') ||
      array.dtype.itemsize() > 8 ||
      // A shape may say more than 2^64 bytes.
      array.bytes->size() % static_cast<std::uint64_t>(array.dtype.itemsize()) != 0 ||
      static_cast<std::uint64_t>(element_count(array.shape)) !=
          array.bytes->size() / static_cast<std::uint64_t>(array.dtype.itemsize())) {
    throw_wrong(name + " has " + std::to_string(array.bytes->size()) + " bytes of dtype " +
                array.dtype.text() + " for the shape " + to_string(array.shape));
  }
  const auto rows = static_cast<std::size_t>(array.shape[0]);
  const auto columns = static_cast<std::size_t>(array.shape[1]);
  std::vector<std::int64_t> out;
  out.reserve(rows * axes);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = columns - axes; column < columns; ++column) {
      out.push_back(
          number_at(array, array.fortran ? column * rows + row : row * columns + column));
    }
  }
  return out;
}

std::vector<std::int64_t> labels_in(const Value& key) {
  const std::string what = "class_locations has a key that is no label and no tuple of labels";
  std::vector<std::int64_t> out;
  if (const List* const region = key.get_if<List>()) {
    for (const Value& label : region->items) out.push_back(as<std::int64_t>(label, what));
    if (out.empty()) throw_wrong(what);
  } else {
    out.push_back(as<std::int64_t>(key, what));
  }
  return out;
}

LabelIndex index_in(std::span<const std::byte> pickle, const Shape& shape) {
  const encoding::DecodeLimits limits{.max_bytes = 2 * kMostPickleBytes};
  const Value tree = encoding::decode_pickle(pickle, limits);
  const Value* const locations = as<Map>(tree, "it holds no dict").find("class_locations");
  if (locations == nullptr) throw_wrong("its dict has no 'class_locations'");
  std::vector<LabelIndex::Listed> lists;
  for (const auto& [key, value] : as<Map>(*locations, "class_locations is no dict").items) {
    std::vector<std::int64_t> labels = labels_in(key);
    const std::string name = "class_locations of label " + std::to_string(labels[0]) +
                             (labels.size() > 1 ? " and others" : "");
    std::vector<std::int64_t> voxels = voxels_in(value, shape, name);
    lists.push_back({std::move(labels), std::move(voxels)});
  }
  return LabelIndex::from_lists(shape, lists);
}

}  // namespace

LabelIndex nnunet_class_locations(const std::filesystem::path& pkl, const Shape& shape,
                                  const std::filesystem::path& cache) {
  const parallel::OperationGuard guard;
  std::string key = cache.empty() ? std::string() : state_of_file(pkl);
  if (!key.empty()) key += "\nnnunet " + to_string(shape);
  if (const auto kept = cached(cache, key)) {
    try {
      return LabelIndex::from_bytes(*kept);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corruption) throw;
    }
  }
  const std::string name = pkl.string();
  LabelIndex index = base::naming(name, [&] {
    const auto source = io::open_file(pkl, Access::buffered, name);
    if (source->size() > kMostPickleBytes) {
      throw Error(ErrorKind::unsupported, "it has " + std::to_string(source->size()) +
                                              " bytes, more than 2^30, the limit of a .pkl");
    }
    return index_in(source->get({0, source->size()}).data, shape);
  });
  keep_in_cache(cache, key, index.bytes());
  return index;
}

}  // namespace mlarray::training
