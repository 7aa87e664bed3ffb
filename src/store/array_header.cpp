#include "store/array_header.hpp"

#include <string>
#include <string_view>

#include "codec/encoder.hpp"
#include "mlarray/error.hpp"
#include "store/b2nd.hpp"

namespace mlarray::store {
namespace {

constexpr std::string_view kB2nd = "b2nd";
// c-blosc2's numbers for how blocks are split; the header stores them less one.
constexpr std::uint8_t kAlwaysSplit = 0;
constexpr std::uint8_t kNeverSplit = 1;

void put_codec(frame::Header& header, const CodecParams& codec) {
  header.compressor = static_cast<int>(codec.codec);
  header.level = codec.level;
  header.filters = codec.filters;
  header.filters_meta = codec.filters_meta;
  header.split_mode = codec.split ? kAlwaysSplit : kNeverSplit;
}

}  // namespace

CodecParams codec_of(const frame::Header& header) {
  CodecParams codec;
  codec.codec = static_cast<Codec>(header.compressor);
  codec.level = header.level;
  codec.filters = header.filters;
  codec.filters_meta = header.filters_meta;
  codec.split = (header.split_mode & 3) != kNeverSplit;
  return codec;
}

ArrayHeader read_array_header(const frame::Header& header) {
  const frame::Metalayer* layer = header.find(kB2nd);
  if (layer == nullptr) {
    throw Error(ErrorKind::unsupported,
                "a Blosc2 file without an N-d array (no metalayer 'b2nd')");
  }
  const B2nd b2nd = parse_b2nd(layer->content, header.typesize);
  ArrayHeader out;
  out.geometry = grid::Geometry(b2nd.shape, b2nd.chunk, b2nd.block, b2nd.dtype.itemsize());
  out.dtype = b2nd.dtype;
  out.codec = codec::as_preset(codec_of(header), out.dtype);
  const grid::Geometry& geometry = out.geometry;
  if (geometry.chunk_count() != header.chunk_count() ||
      (geometry.chunk_count() > 0 && geometry.chunk_bytes() != header.chunksize)) {
    throw Error(ErrorKind::corruption,
                "shape " + to_string(b2nd.shape) + " in chunks of " + to_string(b2nd.chunk) +
                    " makes " + std::to_string(geometry.chunk_count()) + " chunks of " +
                    std::to_string(geometry.chunk_bytes()) + " bytes; the header says " +
                    std::to_string(header.chunk_count()) + " of " +
                    std::to_string(header.chunksize));
  }
  return out;
}

frame::Header new_header(const ArrayHeader& array, std::vector<std::byte>& header_bytes) {
  const grid::Geometry& geometry = array.geometry;
  frame::Header header;
  put_codec(header, array.codec);
  const bool empty = geometry.chunk_count() == 0;
  header.typesize = static_cast<std::int32_t>(geometry.itemsize());
  header.chunksize = empty ? 0 : static_cast<std::int32_t>(geometry.chunk_bytes());
  header.blocksize = empty ? 0 : static_cast<std::int32_t>(geometry.block_bytes());
  header.nbytes = geometry.chunk_count() * header.chunksize;
  B2nd b2nd{geometry.shape(), geometry.chunk(), geometry.block(), array.dtype};
  for (std::size_t i = 0; i < geometry.ndim(); ++i) {
    // Along an axis without voxels Blosc2 has chunks of length 0.
    if (b2nd.shape[i] == 0) b2nd.chunk[i] = b2nd.block[i] = 0;
  }
  header.metalayers.push_back({std::string(kB2nd), build_b2nd(b2nd)});
  header_bytes = frame::build_header(header);
  return header;
}

}  // namespace mlarray::store
