// Voxels as numbers of C++.
#include <gtest/gtest.h>

#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mlarray/array.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::TempDir;

template <class Body>
void expect_typed_error(Body body, ErrorKind kind, const std::string& part) {
  try {
    body();
    ADD_FAILURE() << "no error that says " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

template <class T>
std::vector<T> ramp(std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<T>(static_cast<float>(i % 99));
  return values;
}

template <class T>
void expect_typed_round_trip(const std::filesystem::path& path) {
  const std::vector<T> voxels = ramp<T>(5 * 6 * 7);
  Array::save_voxels<T>(path, voxels, {5, 6, 7});
  Array image = Array::open(path, {.mode = Mode::read_write});
  EXPECT_EQ(image.dtype(), DType::of<T>());
  const Box whole{{0, 0, 0}, {5, 6, 7}};
  EXPECT_EQ(image.read<T>(whole), voxels);
  EXPECT_EQ(Array::in_memory<T>(voxels, {5, 6, 7}).template read<T>(whole), voxels);

  const Box part{{1, 2, 3}, {3, 4, 7}};
  const std::vector<T> other(16, T{42});
  image.write<T>(part, other);
  EXPECT_EQ(image.read<T>(part), other);
  std::vector<T> out(16);
  image.read(part, std::span(out));
  EXPECT_EQ(out, other);
  EXPECT_EQ(image.read<T>({{4, 5, 6}, {5, 6, 7}}), std::vector<T>{voxels.back()});
  EXPECT_TRUE(image.read<T>({{4, 5, 6}, {4, 6, 7}}).empty());
}

TEST(Typed, EveryElementComesBack) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  expect_typed_round_trip<std::int8_t>(path);
  expect_typed_round_trip<std::uint8_t>(path);
  expect_typed_round_trip<std::int16_t>(path);
  expect_typed_round_trip<std::uint16_t>(path);
  expect_typed_round_trip<std::int32_t>(path);
  expect_typed_round_trip<std::uint32_t>(path);
  expect_typed_round_trip<std::int64_t>(path);
  expect_typed_round_trip<std::uint64_t>(path);
  expect_typed_round_trip<float>(path);
  expect_typed_round_trip<double>(path);
  expect_typed_round_trip<std::complex<float>>(path);
  expect_typed_round_trip<std::complex<double>>(path);
}

TEST(Typed, AViewOfElementsOfAnotherSizeIsRefused) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Shape shape{2, 3};
  const Box whole = Box::whole(shape);
  Array image = Array::in_memory(ramp<std::int16_t>(6), shape);
  std::vector<std::uint8_t> bytes(6);
  std::vector<double> doubles(6);
  const auto refused = [&](auto call) {
    expect_typed_error(call, ErrorKind::invalid_type, "bytes for voxels of 2 bytes");
  };
  const ArrayView small = view_of(bytes, shape), large = view_of(doubles, shape);
  refused([&] { image.read(whole, small); });
  refused([&] { image.read(whole, large); });
  refused([&] { image.read_padded(whole, small); });
  refused([&] { image.read_many(std::span(&whole, 1), std::span(&small, 1)); });
  refused([&] { image.read_many_padded(std::span(&whole, 1), std::span(&large, 1)); });
  refused([&] { image.write(whole, ConstArrayView(small)); });
  refused([&] { Array::save_voxels(path, small, DType::of<std::int16_t>()); });
  refused([&] { Array::in_memory(shape, DType::of<std::int16_t>(), large); });
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(image.read<std::int16_t>(whole), ramp<std::int16_t>(6));
  // What the view does not say is not compared.
  image.read(whole,
             ArrayView{std::as_writable_bytes(std::span(doubles)).data(), shape, {6, 2}});
}

TEST(Typed, AViewNeedsAStrideForEachAxis) {
  const std::vector<std::int16_t> voxels = ramp<std::int16_t>(6);
  const ConstArrayView view{std::as_bytes(std::span(voxels)).data(), {2, 3}, {2}};
  const DType dtype = DType::of<std::int16_t>();
  const auto refused = [&](auto call) {
    expect_typed_error(call, ErrorKind::invalid_value, "one stride for each axis, not 1");
  };
  refused([&] { Array::in_memory({2, 3}, dtype, view); });
}

TEST(Typed, ATypeMaySpellItsNameInAnyWay) {
  const std::vector<std::int16_t> voxels = ramp<std::int16_t>(8);
  for (const char* text : {"<i2", "int16", "i2", "short", "=i2"}) {
    const Array image =
        Array::in_memory({8}, DType::parse(text), view_of(std::span(voxels), {8}));
    EXPECT_EQ(image.read<std::int16_t>({{0}, {8}}), voxels) << text;
  }
}

TEST(Typed, AnotherTypeIsAnErrorThatNamesBoth) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  Array::save_voxels<std::int16_t>(path, ramp<std::int16_t>(8), {8});
  Array image = Array::open(path, {.mode = Mode::read_write});
  const Box box{{0}, {8}};
  std::vector<float> out(8);
  const std::string both = "dtype \"<i2\" for a buffer of \"<f4\"";
  expect_typed_error([&] { image.read<float>(box); }, ErrorKind::invalid_type, both);
  expect_typed_error([&] { image.read<float>(box); }, ErrorKind::invalid_type, path.string());
  expect_typed_error([&] { image.read<float>(box, out); }, ErrorKind::invalid_type, both);
  expect_typed_error([&] { image.write<float>(box, out); }, ErrorKind::invalid_type, both);
  // Of the same size, it would go through as bytes.
  expect_typed_error([&] { image.read<std::uint16_t>(box); }, ErrorKind::invalid_type,
                     "\"<u2\"");
  EXPECT_EQ(image.read<std::int16_t>(box), ramp<std::int16_t>(8));

  for (const char* text : {">i2", "<M8[s]", "<f2", "[('a', '<i2')]"}) {
    const Array other = Array::in_memory({8}, DType::parse(text));
    expect_typed_error([&] { other.read<std::int16_t>(box); }, ErrorKind::invalid_type,
                       "dtype");
    expect_typed_error([&] { other.read<std::int64_t>(box); }, ErrorKind::invalid_type,
                       "dtype");
  }
}

TEST(Typed, WrongBoxesAndSizesAreErrorsBeforeMemoryIsTaken) {
  Array image = Array::in_memory<float>(ramp<float>(24), {4, 6});
  const std::int64_t huge = std::int64_t{1} << 61;
  expect_typed_error([&] { image.read<float>({{0, 0}, {4, huge}}); }, ErrorKind::out_of_bounds,
                     "not inside");
  expect_typed_error([&] { image.read<float>({{0}, {4}}); }, ErrorKind::invalid_value, "axes");
  std::vector<float> out(5);
  expect_typed_error([&] { image.read<float>({{0, 0}, {1, 6}}, out); },
                     ErrorKind::invalid_value,
                     "20 bytes for a box of shape (1, 6), which needs 24");
  expect_typed_error([&] { image.write<float>({{0, 0}, {1, 6}}, out); },
                     ErrorKind::invalid_value,
                     "20 bytes for a box of shape (1, 6), which needs 24");
  expect_typed_error([&] { Array::in_memory<float>(out, {2, 3}); }, ErrorKind::invalid_value,
                     "5 elements for the shape (2, 3)");
  expect_typed_error([&] { Array::save_voxels<float>("a.mla", out, {6}); },
                     ErrorKind::invalid_value, "5 elements for the shape (6,)");
  image.close();
  expect_typed_error([&] { image.read<float>({{0, 0}, {1, 6}}); }, ErrorKind::closed, "closed");
}

TEST(Typed, TheTypeIsFoundInWhatIsGiven) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const std::vector<std::int16_t> voxels = ramp<std::int16_t>(24);
  Array::save_voxels(path, voxels, {4, 6}, {}, {.layout = {.patch = 4}});
  Array image = Array::open(path, {.mode = Mode::read_write});
  EXPECT_EQ(image.dtype(), DType::of<std::int16_t>());

  std::vector<std::int16_t> out(24);
  image.read(Box::whole({4, 6}), out);
  EXPECT_EQ(out, voxels);
  std::array<std::int16_t, 2> pair{};
  image.read({{1, 0}, {1, 2}}, std::span(pair).first(0));
  image.read({{1, 0}, {2, 2}}, pair);
  EXPECT_EQ(pair, (std::array<std::int16_t, 2>{6, 7}));
  image.read_many(std::vector<Box>{{{0, 1}, {1, 2}}, {{0, 3}, {1, 4}}}, pair);
  EXPECT_EQ(pair, (std::array<std::int16_t, 2>{1, 3}));
  std::int16_t row[3] = {};
  image.read_padded({{0, -1}, {1, 2}}, row, -5);
  EXPECT_EQ(std::vector(row, row + 3), (std::vector<std::int16_t>{-5, 0, 1}));

  image.write({{0, 0}, {1, 2}}, std::vector<std::int16_t>{8, 9});
  image.write({{0, 2}, {1, 4}}, std::span(pair));  // a span of what is not const
  EXPECT_EQ(image.read<std::int16_t>({{0, 0}, {1, 4}}),
            (std::vector<std::int16_t>{8, 9, 1, 3}));
  EXPECT_EQ(Array::in_memory(voxels, {4, 6}).read<std::int16_t>(Box::whole({4, 6})), voxels);

  std::vector<float> floats(24);
  expect_typed_error([&] { image.read(Box::whole({4, 6}), floats); }, ErrorKind::invalid_type,
                     "\"<f4\"");
  expect_typed_error([&] { image.write(Box::whole({4, 6}), floats); }, ErrorKind::invalid_type,
                     "\"<f4\"");
}

// What cannot be written to, or is gone when the call returns, is no target.
static_assert(WritableElements<std::vector<float>&>);
static_assert(WritableElements<std::span<float>>);
static_assert(!WritableElements<const std::vector<float>&>);
static_assert(!WritableElements<std::span<const float>>);
static_assert(!WritableElements<std::vector<float>>);
static_assert(!Elements<std::vector<std::byte>>);
static_assert(!Elements<std::vector<bool>>);

TEST(Typed, BytesAreWrittenWhateverTheType) {
  Array image = Array::in_memory({3}, DType::parse(">i2"));
  const std::vector<std::uint8_t> bytes = {0, 1, 0, 2, 1, 0};
  image.write({{0}, {3}}, std::as_bytes(std::span(bytes)));
  std::vector<std::uint8_t> out(6);
  image.read({{0}, {3}}, std::as_writable_bytes(std::span(out)));
  EXPECT_EQ(out, bytes);
}

TEST(Typed, ABoolIsZeroOrOneWhateverTheFileHolds) {
  const std::vector<std::uint8_t> bytes = {0, 1, 2, 255, 0, 1};
  const ConstArrayView view = view_of(std::span(bytes), {6});
  Array image = Array::in_memory({6}, DType::of<bool>(), view);
  EXPECT_EQ(image.read<std::uint8_t>({{0}, {6}}),
            (std::vector<std::uint8_t>{0, 1, 1, 1, 0, 1}));
  const auto out = std::make_unique<bool[]>(6);
  image.read<bool>({{0}, {6}}, {out.get(), 6});
  EXPECT_EQ(std::vector<bool>(out.get(), out.get() + 6),
            (std::vector<bool>{false, true, true, true, false, true}));
  // A number above 1 is not put into an array of bool.
  expect_typed_error([&] { image.write<std::uint8_t>({{0}, {6}}, bytes); },
                     ErrorKind::invalid_type, "\"|b1\" for a buffer of \"|u1\"");
  const bool values[] = {true, false};
  image.write<bool>({{0}, {2}}, values);
  EXPECT_EQ(image.read<std::uint8_t>({{0}, {2}}), (std::vector<std::uint8_t>{1, 0}));
  // Numbers are what they are.
  const Array numbers = Array::in_memory<std::uint8_t>(bytes, {6});
  EXPECT_EQ(numbers.read<std::uint8_t>({{0}, {6}}), bytes);
}

}  // namespace
}  // namespace mlarray
