// Another source that only gives out copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "fuzz.hpp"
#include "io/byte_source.hpp"

namespace mlarray::fuzz {

// As a file does that was just opened, or as a remote source does.
class CopyingSource final : public io::ByteSource {
 public:
  CopyingSource(std::shared_ptr<io::ByteSource> source, bool remote)
      : source_(std::move(source)), remote_(remote) {}

  std::uint64_t size() const override { return source_->size(); }
  void read_many(std::span<const io::Read> reads) const override { source_->read_many(reads); }
  bool is_remote() const noexcept override { return remote_; }
  bool copy(io::Range range, std::span<std::byte> to) const noexcept override {
    return accepts([&] { source_->read(range, to); });
  }
  bool prefers_copies() const noexcept override { return !remote_; }
  bool are_cached(std::span<const std::uint64_t>) const override { return true; }
  void prefetch(std::span<const io::Range>) const override {}
  void refresh() override {}
  const std::string& name() const override { return source_->name(); }

 private:
  std::shared_ptr<io::ByteSource> source_;
  bool remote_;
};

}  // namespace mlarray::fuzz
