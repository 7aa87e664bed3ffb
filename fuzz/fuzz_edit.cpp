// A file is opened for editing, voxels and metadata are replaced, and it is read again.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "mlarray/array.hpp"
#include "mlarray/verify.hpp"
#include "unseal.hpp"

using namespace mlarray;

namespace {

constexpr std::int64_t kMostVoxelBytes = 1 << 18;

std::filesystem::path scratch_file() {
  // One per process: libFuzzer runs several side by side.
  return std::filesystem::temp_directory_path() /
         ("mlarray-fuzz-" + std::to_string(getpid()) + ".b2nd");
}

std::vector<std::byte> read_all(const Array& image) {
  const Shape shape = image.shape();
  std::vector<std::byte> out(
      static_cast<std::size_t>(element_count(shape) * image.dtype().itemsize()));
  image.read({Shape(shape.size(), 0), shape}, out, 1);
  return out;
}

void edit(const std::filesystem::path& path, std::byte fill) {
  Array image = Array::open(path, {.mode = Mode::read_write, .threads = 1, .verify = false});
  const Shape shape = image.shape();
  std::int64_t bytes = image.dtype().itemsize();
  for (const std::int64_t length : shape) {
    if (length > kMostVoxelBytes / bytes) return;
    bytes *= std::max<std::int64_t>(length, 1);
  }
  for (const std::uint8_t filter : image.codec().filters) {
    const bool lossy = filter == static_cast<std::uint8_t>(Filter::trunc_prec) ||
                       filter == static_cast<std::uint8_t>(Filter::int_trunc);
    if (lossy) return;  // what is read is not what was written
  }
  std::vector<std::byte> expected = read_all(image);
  if (expected.empty()) return;
  // The second half along the first axis.
  Box box{Shape(shape.size(), 0), shape};
  if (!shape.empty()) box.start[0] = shape[0] / 2;
  const Shape part = box.shape();
  std::vector<std::byte> voxels(
      static_cast<std::size_t>(element_count(part) * image.dtype().itemsize()), fill);
  std::vector<std::int64_t> strides(part.size());
  std::int64_t step = image.dtype().itemsize();
  for (std::size_t i = part.size(); i-- > 0; step *= part[i]) strides[i] = step;
  image.write(box, {voxels.data(), part, strides}, 1);
  fuzz::accepts([&] { image.set_metadata(image.metadata()); });
  image.close();

  std::copy(voxels.begin(), voxels.end(),
            expected.end() - static_cast<std::ptrdiff_t>(voxels.size()));
  // Outside of what may fail: the file is ours now.
  fuzz::require(fuzz::accepts([&] {
                  const Array again = Array::open(path, {.threads = 1});
                  fuzz::require(again.seal() == Seal::valid, "an edited file is sealed");
                  fuzz::require(read_all(again) == expected,
                                "an edit changes what it names and nothing else");
                }),
                "an edited file can be read");
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  if (input.empty()) return;
  const std::filesystem::path path = scratch_file();
  {
    const std::vector<std::byte> file = fuzz::resealed(input.subspan(1));
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(file.data()),
              static_cast<std::streamsize>(file.size()));
  }
  fuzz::accepts([&] { verify_file(path, {.threads = 1}); });
  fuzz::accepts([&] { edit(path, input[0]); });
  std::filesystem::remove(path);
}
