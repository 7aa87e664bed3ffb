// A whole file: open, metadata, and every voxel read two ways.
#include <vector>

#include "copying_source.hpp"
#include "fuzz.hpp"
#include "grid/strided.hpp"
#include "pipeline/read_box.hpp"
#include "session/snapshot.hpp"
#include "unseal.hpp"

using namespace mlarray;

namespace {

constexpr std::int64_t kMostVoxelBytes = 1 << 20;

// The voxels of `box` in C order; empty if the bytes are damaged.
std::vector<std::byte> read(const session::Snapshot& state, const Box& box, bool verify) {
  const std::int64_t itemsize = state.geometry().itemsize();
  const Shape shape = box.shape();
  std::vector<std::byte> out(static_cast<std::size_t>(element_count(shape) * itemsize));
  const ArrayView view{out.data(), shape, grid::c_strides(shape, itemsize)};
  if (!fuzz::accepts([&] {
        pipeline::read_box(*state.chunks, state.geometry(), box, view,
                           {.threads = 1, .verify = verify});
      })) {
    out.clear();
  }
  return out;
}

// The first of the array's voxels, not more than fit.
Box readable_box(const grid::Geometry& geometry) {
  Box box{Shape(geometry.ndim(), 0), geometry.shape()};
  std::int64_t bytes = geometry.itemsize();
  for (std::size_t axis = geometry.ndim(); axis-- > 0;) {
    const std::int64_t most = std::max<std::int64_t>(kMostVoxelBytes / bytes, 1);
    box.stop[axis] = std::min(box.stop[axis], most);
    bytes *= std::max<std::int64_t>(box.stop[axis], 1);
  }
  return box;
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  const std::shared_ptr<io::ByteSource> source =
      io::from_memory(fuzz::resealed(input), "<input>");
  session::Snapshot shown;
  session::Snapshot copied;  // the same by the way of copies
  session::Snapshot remote;  // and by that of ranges read together
  if (!fuzz::accepts([&] {
        const frame::State state = frame::read_state(*source);
        shown = session::snapshot_of(state, source);
        copied =
            session::snapshot_of(state, std::make_shared<fuzz::CopyingSource>(source, false));
        remote =
            session::snapshot_of(state, std::make_shared<fuzz::CopyingSource>(source, true));
        fuzz::accepts([&] { shown.metadata(); });
      })) {
    return;
  }
  const Box box = readable_box(shown.geometry());
  const std::vector<std::byte> whole = read(shown, box, false);
  if (whole.empty() || box.stop.empty()) return;

  // Nearly every change of a block is found by its checksum, so it is looked at only here.
  const std::vector<std::byte> verified = read(copied, box, true);
  fuzz::require(verified.empty() || verified == whole, "verifying changes no voxel");
  fuzz::require(read(shown, box, true) == verified, "copies are verified as what they are of");
  fuzz::require(read(remote, box, true) == verified, "ranges are verified as what they are of");

  // The last half along the first axis, alone.
  Box part = box;
  part.start[0] = box.stop[0] / 2;
  const std::vector<std::byte> half = read(copied, part, false);
  fuzz::require(read(remote, part, false) == half, "ranges hold what the file holds");
  fuzz::require(
      half.size() <= whole.size() && std::equal(half.rbegin(), half.rend(), whole.rbegin()),
      "a part has the voxels of the whole");
  fuzz::require(!half.empty() || part.empty(), "a part of what can be read can be read");
}
