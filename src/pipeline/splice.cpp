#include "pipeline/splice.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "base/mutants.hpp"
#include "codec/checksum.hpp"
#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "grid/gather.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/in_order.hpp"
#include "store/block_check.hpp"

namespace mlarray::pipeline {
namespace {

using Bytes = std::vector<std::byte>;

// What is held at once of chunks and their blocks, if one chunk does not pass it.
constexpr std::int64_t kMostSplicesHeld = std::int64_t{256} << 20;

// Up to this part of its blocks a chunk is edited by block. int16 in chunks of 32 blocks, one
// thread, ms for 1, 4, 16, 24 and 32 of them, as a whole and by block:
//   our LZ4HC          1.9 1.9 1.7 1.9 3.3    0.3 0.4 0.9 0.6
//   ZSTD by c-blosc2   4.8 3.9 4.1 4.6 3.4    0.3 0.6 2.2 4.1
//   BloscLZ            0.8 0.8 0.8 0.8 0.7    0.2 0.3 0.6 0.7
constexpr std::int64_t kMost = 7;
constexpr std::int64_t kMostOf = 8;

// One chunk that is edited by block.
struct Splice {
  std::int64_t number = 0;
  store::ChunkRef ref;
  codec::ChunkHeader header;
  CodecParams codec;
  Box part;                           // of the edit
  std::vector<std::int32_t> touched;  // blocks, ascending
  std::vector<Bytes> fresh;           // their new stored bytes
  std::size_t first_unit = 0;
  std::optional<EncodedChunk> made;  // nothing in the end: to be encoded as a whole

  store::BlockCheck check(const grid::Geometry& geometry) const {
    return {ref, header, geometry, number, true};
  }
};

// Per thread.
struct SpliceWorker {
  std::optional<codec::Encoder> encoder;
  CodecParams codec;  // of it
  codec::Decoder decoder;
  Bytes block;   // voxels
  Bytes stored;  // a chunk, copied out of the file

  codec::Encoder& encoder_for(const CodecParams& wanted, const grid::Geometry& geometry) {
    if (!encoder || codec != wanted) {
      codec = wanted;
      encoder.emplace(wanted, geometry.itemsize(),
                      static_cast<std::int32_t>(geometry.block_bytes()));
    }
    return *encoder;
  }
};

bool same(const Box& a, const Box& b) { return a.start == b.start && a.stop == b.stop; }

// The blocks of a chunk that `part` meets.
std::vector<std::int32_t> blocks_in(const grid::Geometry& geometry, std::int64_t number,
                                    const Box& part) {
  const Shape corner = geometry.chunk_box(number).start;
  Box local = part;
  for (std::size_t a = 0; a < corner.size(); ++a) {
    local.start[a] -= corner[a];
    local.stop[a] -= corner[a];
  }
  const Box cells = grid::Geometry::cells(local, geometry.block());
  const auto numbers = grid::Geometry::numbers(cells, geometry.block_grid());
  std::vector<std::int32_t> out;
  out.reserve(numbers.size());
  for (const std::int64_t block : numbers) out.push_back(static_cast<std::int32_t>(block));
  return out;
}

class Splicer {
 public:
  Splicer(const store::ChunkStore& store, const grid::Geometry& geometry, const BoxEdit& edit,
          const CodecParams& codec, const TakeChunk& take)
      : store_(store), geometry_(geometry), edit_(edit), codec_(codec), take_(take) {}

  // Appends to `rest` what is to be encoded as a whole.
  void run(std::span<const std::int64_t> numbers, int threads, std::vector<std::int64_t>& rest);

 private:
  std::vector<std::int32_t> touched_blocks(std::int64_t number) const;
  std::optional<Splice> plan(std::int64_t number, store::ChunkRef ref) const;
  void encode_block(Splice& splice, std::size_t i, SpliceWorker& worker) const;
  void join(Splice& splice, SpliceWorker& worker) const;
  std::span<const std::byte> kept_block(const Splice& splice, std::span<const std::byte> chunk,
                                        std::int32_t block, SpliceWorker& worker) const;

  const store::ChunkStore& store_;
  const grid::Geometry& geometry_;
  const BoxEdit& edit_;
  const CodecParams& codec_;
  const TakeChunk& take_;
};

// None: they are so many that the whole chunk is encoded as quickly.
std::vector<std::int32_t> Splicer::touched_blocks(std::int64_t number) const {
  const Box whole = geometry_.chunk_box(number);
  const Box part = grid::intersect(whole, edit_.box);
  if (same(part, whole)) return {};
  std::vector<std::int32_t> out = blocks_in(geometry_, number, part);
  if (static_cast<std::int64_t>(out.size()) * kMostOf > geometry_.block_count() * kMost) {
    out.clear();
  }
  return out;
}

std::optional<Splice> Splicer::plan(std::int64_t number, store::ChunkRef ref) const {
  if (ref.special != codec::Special::none) return std::nullopt;
  Splice out;
  out.number = number;
  out.ref = std::move(ref);
  out.header = store::checked_header(out.ref, geometry_, number);
  const auto codec = codec::params_for_blocks(out.header, codec_);
  if (!codec) return std::nullopt;
  out.codec = *codec;
  out.part = grid::intersect(geometry_.chunk_box(number), edit_.box);
  out.touched = touched_blocks(number);
  out.fresh.resize(out.touched.size());
  return out;
}

void Splicer::encode_block(Splice& splice, std::size_t i, SpliceWorker& worker) const {
  const std::int32_t block = splice.touched[i];
  const Box own = geometry_.block_box(splice.number, block);
  worker.block.resize(static_cast<std::size_t>(geometry_.block_bytes()));
  if (!same(grid::intersect(own, splice.part), own)) {
    const store::BlockCheck check = splice.check(geometry_);
    if (!base::mutant("unverified_sums")) check.check(check.seed(), block);
    worker.decoder.decode_block(splice.ref.bytes.data, splice.header, block, worker.block,
                                store::chunk_name(splice.number));
  } else if (element_count(own.shape()) * geometry_.itemsize() != geometry_.block_bytes()) {
    std::fill(worker.block.begin(), worker.block.end(), std::byte{0});
  }
  grid::gather_block(geometry_, splice.number, block, splice.part, edit_.voxels,
                     edit_.box.start, worker.block);
  const auto stored = worker.encoder_for(splice.codec, geometry_).encode_block(worker.block);
  if (stored) splice.fresh[i].assign(stored->begin(), stored->end());
}

// The stored bytes of a block that stays. Without a recorded sum it has to decode.
std::span<const std::byte> Splicer::kept_block(const Splice& splice,
                                               std::span<const std::byte> chunk,
                                               std::int32_t block, SpliceWorker& worker) const {
  const store::BlockCheck check = splice.check(geometry_);
  // What this process made was never anywhere else.
  const bool in_file = splice.ref.offset != store::ChunkRef::kInMemory;
  if (!check.recorded() && in_file) {
    worker.block.resize(static_cast<std::size_t>(geometry_.block_bytes()));
    worker.decoder.decode_block(chunk, splice.header, block, worker.block,
                                store::chunk_name(splice.number));
  }
  try {
    return codec::block_bytes(chunk, splice.header, block);
  } catch (const Error&) {
    check.check(check.seed(), block);  // says more
    throw;
  }
}

void Splicer::join(Splice& splice, SpliceWorker& worker) const {
  const auto is_empty = [](const Bytes& bytes) { return bytes.empty(); };
  if (std::any_of(splice.fresh.begin(), splice.fresh.end(), is_empty)) return;
  std::span<const std::byte> old = splice.ref.bytes.data;
  if (store_.prefers_copies() && splice.ref.offset != store::ChunkRef::kInMemory) {
    worker.stored.resize(old.size());
    const std::span<const std::byte> head = splice.ref.head.data;
    // By another header nothing of it was checked.
    if (store_.copy({splice.ref.offset, old.size()}, worker.stored) &&
        std::equal(worker.stored.begin(), worker.stored.begin() + codec::kChunkHeaderBytes,
                   head.begin())) {
      old = worker.stored;
    }
  }
  const auto count = static_cast<std::size_t>(splice.header.block_count());
  std::vector<std::span<const std::byte>> blocks(count);
  for (std::size_t i = 0; i < splice.touched.size(); ++i) {
    blocks[static_cast<std::size_t>(splice.touched[i])] = splice.fresh[i];
  }
  std::vector<bool> kept(count);
  for (std::size_t b = 0; b < count; ++b) {
    kept[b] = blocks[b].empty();
    if (kept[b]) blocks[b] = kept_block(splice, old, static_cast<std::int32_t>(b), worker);
  }
  auto chunk = codec::join_blocks(splice.ref.head.data, splice.header, blocks);
  if (!chunk) return;
  EncodedChunk made;
  made.number = splice.number;
  made.bytes = std::move(*chunk);
  const codec::ChunkHeader header = codec::parse_chunk(
      made.bytes, {.nbytes = geometry_.chunk_bytes(), .blocksize = geometry_.block_bytes()});
  const store::BlockCheck check = splice.check(geometry_);
  const std::uint64_t old_seed = check.seed();
  const std::uint64_t seed =
      base::mutant("old_length_sums") ? old_seed : codec::checksum_seed(made.bytes, header);
  std::span<const std::byte> rest =
      std::span(made.bytes).subspan(codec::kChunkHeaderBytes + 4 * count);
  const bool zeros = std::all_of(rest.begin(), rest.end(),
                                 [](std::byte byte) { return byte == std::byte{0}; });
  made.checksums.resize(count);
  for (std::size_t b = 0; b < count; ++b) {
    const auto block = static_cast<std::int32_t>(b);
    const std::span<const std::byte> stored = rest.first(blocks[b].size());
    rest = rest.subspan(stored.size());
    // The copy, not what it is a copy of: the file may have changed in between.
    if (kept[b] && !base::mutant("copied_unverified") &&
        !check.passes(old_seed, block, stored)) {
      check.check(old_seed, block);  // says what is wrong
      throw Error(ErrorKind::corruption, store::chunk_name(splice.number) + ", block " +
                                             std::to_string(block) +
                                             " changed while it was copied");
    }
    made.checksums[b] = codec::stored_checksum(stored, seed, splice.number, block);
  }
  if (zeros) {  // every stream is a run of them
    made.bytes.clear();
    made.checksums.clear();
  }
  splice.made = std::move(made);
}

void Splicer::run(std::span<const std::int64_t> numbers, int threads,
                  std::vector<std::int64_t>& rest) {
  std::vector<std::int64_t> wanted;
  for (const std::int64_t number : numbers) {
    (touched_blocks(number).empty() ? rest : wanted).push_back(number);
  }
  std::vector<store::ChunkRef> refs = store_.find(wanted);
  std::vector<Splice> splices;
  std::size_t units = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    store_.load(refs[i]);
    auto splice = plan(wanted[i], std::move(refs[i]));
    if (!splice) {
      rest.push_back(wanted[i]);
      continue;
    }
    splice->first_unit = units;
    units += splice->touched.size();
    splices.push_back(std::move(*splice));
  }
  InOrder in_order(take_, splices.size());
  std::vector<std::atomic<std::size_t>> left(splices.size());
  for (std::size_t i = 0; i < splices.size(); ++i) left[i] = splices[i].touched.size();
  const int used = parallel::worker_count(units, threads);
  std::vector<SpliceWorker> workers(static_cast<std::size_t>(used));
  std::vector<std::uint8_t> whole(splices.size());
  parallel::parallel_for(units, used, [&](std::size_t unit, int id) {
    SpliceWorker& worker = workers[static_cast<std::size_t>(id)];
    const auto next = std::upper_bound(splices.begin(), splices.end(), unit,
                                       [](std::size_t wanted_unit, const Splice& one) {
                                         return wanted_unit < one.first_unit;
                                       });
    const auto place = static_cast<std::size_t>(next - splices.begin()) - 1;
    Splice& splice = splices[place];
    encode_block(splice, unit - splice.first_unit, worker);
    if (left[place].fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    join(splice, worker);
    if (!splice.made) whole[place] = 1;
    splice.fresh.clear();
    in_order.add(place, std::move(splice.made));
  });
  for (std::size_t i = 0; i < splices.size(); ++i) {
    if (whole[i] != 0) rest.push_back(splices[i].number);
  }
}

}  // namespace

std::vector<std::int64_t> splice_chunks(const store::ChunkStore& store,
                                        const grid::Geometry& geometry, const BoxEdit& edit,
                                        std::span<const std::int64_t> numbers,
                                        const CodecParams& codec, int threads,
                                        const TakeChunk& take) {
  if (geometry.block_count() < 2) return {numbers.begin(), numbers.end()};
  const auto window = static_cast<std::size_t>(
      std::clamp<std::int64_t>(kMostSplicesHeld / (2 * geometry.chunk_bytes()), 1, 1024));
  std::vector<std::int64_t> rest;
  Splicer splicer(store, geometry, edit, codec, take);
  for (std::size_t first = 0; first < numbers.size(); first += window) {
    splicer.run(numbers.subspan(first, std::min(window, numbers.size() - first)), threads,
                rest);
  }
  std::sort(rest.begin(), rest.end());
  return rest;
}

}  // namespace mlarray::pipeline
