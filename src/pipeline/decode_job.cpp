#include "pipeline/decode_job.hpp"

#include <string>
#include <utility>

#include "mlarray/error.hpp"

namespace mlarray::pipeline {

DecodeJob::DecodeJob(store::ChunkRef ref, const grid::Geometry& geometry, std::int64_t number,
                     Verify verify)
    : ref_(std::move(ref)),
      header_(store::checked_header(ref_, geometry, number)),
      geometry_(&geometry),
      number_(number),
      verify_(verify) {
  if (!header_.dictionary || ref_.is_loaded()) find_seed();
}

codec::Special DecodeJob::special() const {
  return ref_.special != codec::Special::none ? ref_.special : header_.special;
}

void DecodeJob::load(const store::ChunkStore& store) {
  if (ref_.is_loaded()) return;
  store.load(ref_);
  if (header_.dictionary) find_seed();
}

void DecodeJob::set_bytes(io::Bytes bytes) {
  ref_.set_bytes(std::move(bytes));
  if (header_.dictionary) find_seed();
}

void DecodeJob::find_seed() {
  if (verify_ != Verify::no) seed_ = check().seed();
}

void DecodeJob::verify(std::int32_t block) const {
  if (verify_ != Verify::no) check().check(seed_, block);
}

void DecodeJob::verify_all() const {
  if (verify_ != Verify::no) check().check_all(seed_);
}

codec::BlockView DecodeJob::view_block(codec::Decoder& decoder, std::int32_t block,
                                       std::size_t wanted) const {
  verify(block);  // right before the decoder reads the same bytes
  return decoder.view_block(ref_.bytes.data, header_, block, store::chunk_name(number_),
                            enough(wanted));
}

void DecodeJob::decode_block(codec::Decoder& decoder, std::int32_t block,
                             std::span<std::byte> out) const {
  verify(block);
  decoder.decode_block(ref_.bytes.data, header_, block, out, store::chunk_name(number_));
}

std::optional<codec::BlockView> DecodeJob::view_stored(codec::Decoder& decoder,
                                                       std::int32_t block,
                                                       std::span<const std::byte> stored,
                                                       std::size_t wanted) const {
  if (verify_ != Verify::no && !check().passes(seed_, block, stored)) return std::nullopt;
  return decoder.view_stored(stored, header_, block, enough(wanted));
}

void DecodeJob::decode_all(codec::Decoder& decoder, std::span<std::byte> out) const {
  if (special() != codec::Special::none) return fill(out);
  decoder.decode_chunk(ref_.bytes.data, header_, out, store::chunk_name(number_));
}

void DecodeJob::fill(std::span<std::byte> out) const {
  const std::int64_t itemsize = geometry_->itemsize();
  std::span<const std::byte> item;
  if (header_.special == codec::Special::value) {
    const auto size = static_cast<std::size_t>(itemsize);
    const std::span<const std::byte> bytes = ref_.bytes.data;
    if (bytes.size() - codec::kChunkHeaderBytes < size) {
      throw Error(ErrorKind::corruption, store::chunk_name(number_) + " repeats a value of " +
                                             std::to_string(size) + " bytes but has " +
                                             std::to_string(bytes.size()) + " bytes in all");
    }
    item = bytes.subspan(codec::kChunkHeaderBytes, size);
  }
  codec::fill_special(special(), item, itemsize, out);
}

}  // namespace mlarray::pipeline
