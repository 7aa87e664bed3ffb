// A label index as bytes. On disk: do not change (docs/format.md, "Label index").
#include <algorithm>
#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/byte_reader.hpp"
#include "mlarray/error.hpp"
#include "training/impl.hpp"
#include "training/label_counter.hpp"

namespace mlarray::training {
namespace {

constexpr std::string_view kIndexMagic = "mlalabel";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kHasBackground = 1;
// At least so many bytes stand for each of these.
constexpr std::uint64_t kListBytes = 4, kLabelBytes = 8, kClassBytes = 4 + 8 + 8 + 8 + 4,
                        kPartBytes = 12;

template <std::integral T>
void put(std::vector<std::byte>& out, T value) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<std::byte>(bits >> (8 * i)));
  }
}

void put_labels(std::vector<std::byte>& out, const std::vector<std::int64_t>& labels) {
  put(out, static_cast<std::uint32_t>(labels.size()));
  for (const std::int64_t label : labels) put(out, label);
}

class Parser {
 public:
  explicit Parser(std::span<const std::byte> bytes) : reader_(bytes, "label index") {}

  LabelIndex::Impl parse() {
    if (reader_.bytes(kIndexMagic.size()) != kIndexMagic) reader_.fail("no label index");
    if (const std::uint8_t version = reader_.u8(); version != kVersion) {
      reader_.fail("version " + std::to_string(version) + ", this library knows 1");
    }
    const std::uint8_t axes = reader_.u8();
    const std::uint8_t flags = reader_.u8();
    if (axes > kMaxDims) reader_.fail(std::to_string(axes) + " axes");
    if (flags > kHasBackground) reader_.fail("unknown flags");
    read_shape(axes);
    out_.most_positions = number();
    if (out_.most_positions < 0) reader_.fail("a negative number of positions");
    const std::int64_t background = number();
    if (flags == kHasBackground) out_.background = background;
    const std::uint32_t joined = count_of(kListBytes);
    if (joined > kMostClasses) reader_.fail(std::to_string(joined) + " joined classes");
    out_.joined.reserve(joined);
    for (std::uint32_t i = 0; i < joined; ++i) out_.joined.push_back(labels());
    const std::uint32_t classes = count_of(kClassBytes);
    if (classes > 2 * kMostClasses) reader_.fail(std::to_string(classes) + " classes");
    const auto singles = static_cast<std::uint32_t>(reader_.little_endian(4));
    if (singles > classes) reader_.fail("more single classes than classes");
    out_.singles = singles;
    for (std::uint32_t i = 0; i < classes; ++i) read_class(i < singles);
    if (reader_.remaining() > 0) {
      reader_.fail(std::to_string(reader_.remaining()) + " bytes too many");
    }
    out_.finish();
    return std::move(out_);
  }

 private:
  std::int64_t number() { return static_cast<std::int64_t>(reader_.little_endian(8)); }

  // A number of things that follow.
  std::uint32_t count_of(std::uint64_t bytes_each) {
    const auto count = static_cast<std::uint32_t>(reader_.little_endian(4));
    if (count > reader_.remaining() / bytes_each) {
      reader_.fail(std::to_string(count) + " entries, but " +
                   std::to_string(reader_.remaining()) + " bytes");
    }
    return count;
  }

  void read_shape(std::uint8_t axes) {
    for (std::uint8_t i = 0; i < axes; ++i) out_.shape.push_back(number());
    try {
      out_.voxels = element_count(out_.shape);
    } catch (const Error& error) {
      reader_.fail(error.what());
    }
  }

  std::vector<std::int64_t> labels() {
    const std::uint32_t count = count_of(kLabelBytes);
    if (count == 0) reader_.fail("a class without labels");
    std::vector<std::int64_t> out(count);
    for (std::int64_t& label : out) label = number();
    if (std::adjacent_find(out.begin(), out.end(), std::greater_equal<>()) != out.end()) {
      reader_.fail("labels that do not ascend");
    }
    return out;
  }

  void read_class(bool single) {
    std::vector<std::int64_t> of = labels();
    if (single &&
        (of.size() > 1 || (!out_.classes.empty() && of[0] <= out_.classes.back().labels[0]))) {
      reader_.fail("single classes that do not ascend");
    }
    const std::int64_t count = number();
    const std::int64_t size = number();
    if (count < 1 || count > out_.voxels || size < 0 || size > count) {
      reader_.fail(std::to_string(size) + " positions of " + std::to_string(count) +
                   " voxels, of an array of " + std::to_string(out_.voxels));
    }
    if (single) {
      if (count > out_.voxels - counted_) reader_.fail("more voxels than the array has");
      counted_ += count;
    }
    std::vector<PackedPositions::Part> parts(count_of(kPartBytes));
    for (PackedPositions::Part& part : parts) {
      part.upper = static_cast<std::uint32_t>(reader_.little_endian(4));
      part.first = reader_.little_endian(8);
    }
    const std::string_view packed =
        reader_.bytes(PackedPositions::packed_bytes(size, out_.voxels));
    out_.classes.push_back({std::move(of), count, size});
    out_.positions.emplace_back(size, out_.voxels, std::as_bytes(std::span(packed)),
                                std::move(parts));
  }

  base::ByteReader reader_;
  LabelIndex::Impl out_;
  std::int64_t counted_ = 0;  // voxels of single classes
};

}  // namespace

std::vector<std::byte> LabelIndex::bytes() const {
  std::vector<std::byte> out;
  for (const char c : kIndexMagic) out.push_back(static_cast<std::byte>(c));
  put(out, kVersion);
  put(out, static_cast<std::uint8_t>(impl_->shape.size()));
  put(out, impl_->background ? kHasBackground : std::uint8_t{0});
  for (const std::int64_t length : impl_->shape) put(out, length);
  put(out, impl_->most_positions);
  put(out, impl_->background.value_or(0));
  put(out, static_cast<std::uint32_t>(impl_->joined.size()));
  for (const auto& labels : impl_->joined) put_labels(out, labels);
  put(out, static_cast<std::uint32_t>(impl_->classes.size()));
  put(out, static_cast<std::uint32_t>(impl_->singles));
  for (std::size_t i = 0; i < impl_->classes.size(); ++i) {
    const LabelClass& one = impl_->classes[i];
    const PackedPositions& positions = impl_->positions[i];
    put_labels(out, one.labels);
    put(out, one.count);
    put(out, one.positions);
    put(out, static_cast<std::uint32_t>(positions.parts().size()));
    for (const PackedPositions::Part& part : positions.parts()) {
      put(out, part.upper);
      put(out, part.first);
    }
    const auto packed = positions.packed();
    out.insert(out.end(), packed.begin(), packed.end());
  }
  return out;
}

LabelIndex LabelIndex::from_bytes(std::span<const std::byte> bytes) {
  return Impl::make(Parser(bytes).parse());
}

}  // namespace mlarray::training
