// Reading a new file back before it takes the place of the old one.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/chunk.hpp"
#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "metadata/stored.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/read_box.hpp"
#include "session/new_file.hpp"
#include "session/snapshot.hpp"
#include "store/block_check.hpp"

namespace mlarray::session {
namespace {

[[noreturn]] void differs(const std::string& what) {
  throw Error(ErrorKind::corruption, what +
                                         " of the new file did not read back as it was to be "
                                         "saved; the old file was left as it is. Save again; "
                                         "if it happens again, test memory and disk");
}

bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// What a codec that shortens elements leaves of a chunk.
void shorten(std::span<std::byte> chunk, codec::Encoder& encoder, codec::Decoder& decoder) {
  const std::vector<std::byte> bytes = encoder.encode(chunk);
  const codec::ChunkHeader header =
      codec::parse_chunk(bytes, {.nbytes = static_cast<std::int64_t>(chunk.size())});
  decoder.decode_chunk(bytes, header, chunk, "a chunk");
}

void compare_chunks(const Snapshot& state, std::span<const std::int64_t> numbers, int threads,
                    const CodecParams& codec, const pipeline::FillChunk& fill) {
  const grid::Geometry& geometry = state.geometry();
  const std::size_t count = numbers.size();
  const auto size = static_cast<std::size_t>(geometry.chunk_bytes());
  struct Worker {
    std::vector<std::byte> wanted, found;
    std::optional<codec::Encoder> encoder;
    codec::Decoder decoder;
  };
  const int workers = parallel::worker_count(count, threads);
  std::vector<Worker> all(static_cast<std::size_t>(workers));
  const bool shortens = codec::shortens(codec);
  parallel::parallel_for(count, workers, [&](std::size_t i, int id) {
    auto& [wanted, found, encoder, decoder] = all[static_cast<std::size_t>(id)];
    wanted.resize(size);
    found.resize(size);
    const std::int64_t number = numbers[i];
    fill(number, wanted);
    if (shortens) {
      if (!encoder) {
        encoder.emplace(codec, geometry.itemsize(),
                        static_cast<std::int32_t>(geometry.block_bytes()));
      }
      shorten(wanted, *encoder, decoder);
    }
    pipeline::read_chunk(*state.chunks, geometry, number, found, true);
    if (!same_bytes(wanted, found)) differs(store::chunk_name(number));
  });
}

}  // namespace

void NewFile::read_back(const io::AtomicFile& out, int threads, const pipeline::FillChunk& fill,
                        const std::optional<Metadata>& metadata) const {
  const std::shared_ptr<io::ByteSource> source =
      io::open_file(out.temporary(), access_, out.temporary().string());
  frame::State state = frame::read_state(*source);
  const bool same_layers =
      std::equal(layers_.begin(), layers_.end(), state.vlmeta.begin(), state.vlmeta.end(),
                 [](const frame::VlMetalayer& a, const frame::VlMetalayer& b) {
                   return a.name == b.name && same_bytes(a.chunk.data, b.chunk.data);
                 });
  if (!same_layers || state.seal != Seal::valid) differs("the trailer");
  if (metadata) {
    const Metadata found = store::StoredLayers(state.vlmeta).metadata(geometry().ndim());
    const Metadata wanted =
        codec::shortens(array_.codec) ? without_statistics(*metadata) : *metadata;
    if (!(metadata::user_part(found) == metadata::user_part(wanted))) differs("the metadata");
  }
  // What follows looks at the chunks that were added.
  std::vector<bool> added(state.index.size());
  for (const std::int64_t number : added_) added[static_cast<std::size_t>(number)] = true;
  for (std::size_t i = 0; i < added.size(); ++i) {
    if (!added[i] && state.index[i].raw() != frame::IndexEntry().raw()) differs("the index");
  }
  const Snapshot found = snapshot_of(std::move(state), source);
  io::checked(*found.chunks,
              [&] { compare_chunks(found, added_, threads, array_.codec, fill); });
}

}  // namespace mlarray::session
