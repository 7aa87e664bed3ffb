#include "damage.hpp"

#include <algorithm>
#include <cerrno>

#include "campaign.hpp"
#include "memory_files.hpp"
#include "mlarray/array.hpp"
#include "mlarray/salvage.hpp"
#include "power_cuts.hpp"
#include "support/records.hpp"

namespace mlarray::test {
namespace {

const std::string kFile = std::string(MemoryFiles::kFolder) + "/a.mla";
const Shape kShape = {2, 700};

FileBytes read_verified(const Shape& shape = kShape) {
  const Array array = Array::open(kFile, {.threads = 1, .verify = true});
  FileBytes out(static_cast<std::size_t>(element_count(shape)));
  array.read({{0, 0}, shape}, out, 1);
  return out;
}

constexpr std::int64_t kBlock = 350;

// A file of two chunks, one a row, of two blocks of noise, and maybe one of zeros. Noise is
// stored as it is, and so is a chunk of nothing else.
struct Sample {
  Shape shape;
  FileBytes voxels;
  FileBytes bytes;

  explicit Sample(bool with_zeros) : shape({2, (with_zeros ? 3 : 2) * kBlock}) {
    voxels.resize(static_cast<std::size_t>(element_count(shape)));
    Random random(5);
    for (std::size_t i = 0; i < voxels.size(); ++i) {
      const bool zero = static_cast<std::int64_t>(i) % shape[1] >= 2 * kBlock;
      voxels[i] = zero ? std::byte{0} : static_cast<std::byte>(random.next());
    }
    MemoryFiles whole;
    const io::ScopedSystemCalls scope(whole);
    SaveOptions options;
    options.threads = 1;
    options.layout.chunk = Shape{1, shape[1]};
    options.layout.block = Shape{1, kBlock};
    Array::save_voxels(kFile, {voxels.data(), shape, {shape[1], 1}}, DType::parse("|u1"), {},
                       options);
    bytes = *whole.now().find(kFile);
  }

  // Where the stored bytes of this voxel and the next ones are; the file's size: nowhere.
  std::size_t place(std::int64_t voxel) const {
    const auto first = voxels.begin() + voxel;
    return static_cast<std::size_t>(std::search(bytes.begin(), bytes.end(), first, first + 32) -
                                    bytes.begin());
  }
};

// What is wrong after three voxels of the file of these bytes were replaced, from `at` on.
std::string edit_three(const Sample& sample, const FileBytes& bytes, std::int64_t at) {
  Disk disk;
  disk.names[kFile] = 0;
  disk.files.push_back(bytes);
  MemoryFiles files(disk);
  const io::ScopedSystemCalls scope(files);
  FileBytes expected = sample.voxels;
  const FileBytes three(3, std::byte{7});
  const std::int64_t row = at / sample.shape[1], column = at % sample.shape[1];
  bool done = false;
  try {
    Array array = Array::open(kFile, {.mode = Mode::read_write, .threads = 1, .verify = false});
    array.write({{row, column}, {row + 1, column + 3}}, {three.data(), {1, 3}, {3, 1}}, 1);
    std::copy(three.begin(), three.end(), expected.begin() + at);
    array.close();
    done = true;
  } catch (const Error&) {
  }
  if (bytes == sample.bytes && !done) return "a whole file cannot be edited";
  try {
    if (read_verified(sample.shape) != expected) return "wrong voxels read as verified";
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corruption || done) return error.what();
  }
  return {};
}

}  // namespace

std::vector<std::string> edit_damaged_file() {
  std::vector<std::string> wrong;
  for (const bool with_zeros : {false, true}) {
    const Sample sample(with_zeros);
    const std::int64_t row = sample.shape[1];
    for (const std::int64_t damaged :
         {std::int64_t{10}, 10 + kBlock, row + 10, row + 10 + kBlock}) {
      FileBytes bytes = sample.bytes;
      const std::size_t place = sample.place(damaged);
      if (place == bytes.size()) {
        wrong.push_back("no place to damage");
        continue;
      }
      bytes[place] ^= std::byte{1};
      // In each block of the same chunk: beside the damaged voxel, and in other blocks.
      const std::int64_t first = damaged / row * row;
      for (std::int64_t at = first + 110; at < first + row; at += kBlock) {
        const std::string found = edit_three(sample, bytes, at);
        if (found.empty()) continue;
        wrong.push_back("damaged at " + std::to_string(damaged) + ", edited at " +
                        std::to_string(at) + ": " + found);
      }
    }
  }
  return wrong;
}

std::vector<std::string> edit_whole_file() {
  std::vector<std::string> wrong;
  for (const bool with_zeros : {false, true}) {
    const Sample sample(with_zeros);
    for (std::int64_t at = 110; at < static_cast<std::int64_t>(sample.voxels.size());
         at += kBlock) {
      const std::string found = edit_three(sample, sample.bytes, at);
      if (!found.empty()) wrong.push_back("edited at " + std::to_string(at) + ": " + found);
    }
  }
  return wrong;
}

std::vector<std::string> believe_stale_records() {
  const Shape shape = {4, 24'000};
  FileBytes voxels(static_cast<std::size_t>(element_count(shape)));
  Random random(6);
  for (std::byte& b : voxels) b = static_cast<std::byte>(random.next());
  SaveOptions options;
  options.threads = 1;
  options.layout.chunk = Shape{1, 24'000};
  options.layout.block = Shape{1, 8'000};
  MemoryFiles files;
  const io::ScopedSystemCalls scope(files);
  Array::save_voxels(kFile, {voxels.data(), shape, {24'000, 1}}, DType::parse("|u1"), {},
                     options);
  const FileBytes& written = *files.now().find(kFile);
  const RecordBytes bytes(written.begin(), written.end());
  std::vector<std::string> wrong = heads_of(bytes).wrong;
  if (heads_of(bytes).recorded != 4) wrong.push_back("there is no record to begin with");
  const RecordBytes sevens(24'000, std::byte{7});
  const RecordBytes chunk = codec::Encoder({}, 1, 8'000).encode(sevens);
  for (const std::string& one : heads_of(edited_by_c79b0ee(bytes, 1, chunk)).wrong) {
    wrong.push_back(one);
  }
  return wrong;
}

std::vector<std::string> believe_damaged_pages() {
  const ScopedLimits limits({{"sums_in_layer", 0}});
  std::vector<std::string> wrong;
  FileBytes voxels(static_cast<std::size_t>(element_count(kShape)));
  Random random(8);
  for (std::byte& b : voxels) b = static_cast<std::byte>(random.next());
  SaveOptions options;
  options.threads = 1;
  options.layout.chunk = Shape{1, 700};
  options.layout.block = Shape{1, 350};
  Disk disk;
  disk.names[kFile] = 0;
  {
    MemoryFiles whole;
    const io::ScopedSystemCalls scope(whole);
    Array::save_voxels(kFile, {voxels.data(), kShape, {700, 1}}, DType::parse("|u1"), {},
                       options);
    disk.files.push_back(*whole.now().find(kFile));
  }
  FileBytes& bytes = disk.files[0];
  RecordedFile file({bytes.begin(), bytes.end()});
  const auto table = store::ChecksumTable::parse(file.state.find(store::kChecksumLayer)->chunk,
                                                 file.source, 2, 2);
  if (table.pages() == nullptr) return {"the checksums are in no pages"};
  const store::Page page = table.pages()->pages[0];
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page.offset), 16, std::byte{0});
  const auto block =
      std::search(bytes.begin(), bytes.end(), voxels.begin() + 10, voxels.begin() + 42);
  *block ^= std::byte{1};
  MemoryFiles files(disk);
  const io::ScopedSystemCalls scope(files);
  try {
    if (read_verified() != voxels) wrong.push_back("damaged voxels read as verified");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corruption) wrong.push_back(error.what());
  }
  try {
    Array array = Array::open(kFile, {.mode = Mode::read_write, .threads = 1});
    array.write({{1, 0}, {2, 700}}, {voxels.data(), {1, 700}, {700, 1}}, 1);
    array.close();
    wrong.push_back("a commit makes a damaged page look right");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corruption) wrong.push_back(error.what());
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
