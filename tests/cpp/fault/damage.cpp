#include "damage.hpp"

#include <algorithm>
#include <cerrno>

#include "memory_files.hpp"
#include "mlarray/array.hpp"
#include "mlarray/salvage.hpp"
#include "power_cuts.hpp"

namespace mlarray::test {
namespace {

const std::string kFile = std::string(MemoryFiles::kFolder) + "/a.mla";
const Shape kShape = {2, 700};

FileBytes read_verified() {
  const Array array = Array::open(kFile, {.threads = 1, .verify = true});
  FileBytes out(static_cast<std::size_t>(element_count(kShape)));
  array.read({{0, 0}, kShape}, out, 1);
  return out;
}

}  // namespace

std::vector<std::string> edit_damaged_file() {
  std::vector<std::string> wrong;
  FileBytes voxels(static_cast<std::size_t>(element_count(kShape)));
  Random random(5);
  for (std::byte& b : voxels) b = static_cast<std::byte>(random.next());
  SaveOptions options;
  options.layout.chunk = Shape{1, 700};
  options.layout.block = Shape{1, 350};
  for (std::ptrdiff_t at = 10; at < 1400; at += 350) {
    MemoryFiles whole;
    FileBytes bytes;
    {
      const io::ScopedSystemCalls scope(whole);
      Array::save_voxels(kFile, {voxels.data(), kShape, {700, 1}}, DType::parse("|u1"), {},
                         options);
      bytes = *whole.now().find(kFile);
    }
    // Noise is stored as it is.
    const auto block =
        std::search(bytes.begin(), bytes.end(), voxels.begin() + at, voxels.begin() + at + 32);
    if (block == bytes.end()) {
      wrong.push_back("no place to damage");
      continue;
    }
    *block ^= std::byte{1};
    Disk disk;
    disk.names[kFile] = 0;
    disk.files.push_back(bytes);
    MemoryFiles files(disk);
    const io::ScopedSystemCalls scope(files);
    FileBytes expected = voxels;
    const FileBytes three(3, std::byte{7});
    const std::int64_t row = at / 700, column = at % 700 + 100;
    try {
      Array array =
          Array::open(kFile, {.mode = Mode::read_write, .threads = 1, .verify = false});
      array.write({{row, column}, {row + 1, column + 3}}, {three.data(), {1, 3}, {3, 1}}, 1);
      std::copy(three.begin(), three.end(), expected.begin() + row * 700 + column);
      array.close();
    } catch (const Error&) {
    }
    try {
      if (read_verified() != expected) {
        wrong.push_back("a damaged voxel at " + std::to_string(at) +
                        " reads as verified after an edit beside it");
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corruption) wrong.push_back(error.what());
    }
  }
  return wrong;
}

std::vector<std::string> salvage_half_flips() {
  std::vector<std::string> wrong;
  const std::string kGood = std::string(MemoryFiles::kFolder) + "/good.mla";
  const FileBytes old_voxels(static_cast<std::size_t>(element_count(kShape)), std::byte{3});
  const FileBytes row(700, std::byte{7});
  FileBytes new_voxels = old_voxels;
  std::copy(row.begin(), row.end(), new_voxels.begin());
  for (const bool killed : {true, false}) {
    MemoryFiles files;
    const io::ScopedSystemCalls scope(files);
    SaveOptions options;
    options.threads = 1;
    options.layout.chunk = Shape{1, 700};
    options.layout.block = Shape{1, 350};
    Array::save_voxels(kFile, {old_voxels.data(), kShape, {700, 1}}, DType::parse("|u1"), {},
                       options);
    std::string error;
    try {
      Array array = Array::open(kFile, {.mode = Mode::read_write, .threads = 1});
      array.write({{0, 0}, {1, 700}}, {row.data(), {1, 700}, {700, 1}}, 1);
      // Index and trailer, a sync, the flip.
      if (killed) {
        files.kill_at(files.log().size() + 2, false);
      } else {
        files.fail_at("pwrite", 1, {EIO, true, Fault::Way::half});
      }
      array.flush();
      wrong.push_back("the flip succeeds");
    } catch (const Error& failed) {
      error = failed.what();
    }
    if (!killed && error.find("mlarray salvage") == std::string::npos) {
      wrong.push_back("the error names no way out: " + error);
    }
    files.restart();
    try {
      static_cast<void>(read_verified());
      wrong.push_back("the header is not half written");
    } catch (const Error&) {
    }
    try {
      const SalvageReport report = salvage(kFile, kGood, {.threads = 1});
      const Array good = Array::open(kGood, {.threads = 1, .verify = true});
      FileBytes found(old_voxels.size());
      good.read({{0, 0}, kShape}, found, 1);
      if (found != new_voxels && found != old_voxels) wrong.push_back("another state is saved");
      if (report.lost_voxels != 0) wrong.push_back("voxels are lost");
    } catch (const Error& failed) {
      wrong.push_back(failed.what());
    }
  }
  return wrong;
}

}  // namespace mlarray::test
