// A source that counts, waits and fails: what http and s3 are to the library.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mlarray/byte_source.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::test {

class CountingSource final : public ByteSource {
 public:
  explicit CountingSource(const std::filesystem::path& path)
      : name_("counted://" + path.filename().string()),
        bytes_(read_bytes<std::vector<std::byte>>(path)) {}

  std::uint64_t size() const override { return bytes_.size(); }
  std::string name() const override { return name_; }

  void read_many(std::span<const ByteRead> reads) const override {
    std::this_thread::sleep_for(delay);
    const std::scoped_lock lock(mutex_);
    ++rounds_;
    EXPECT_FALSE(reads.empty());
    std::uint64_t end = 0;
    for (const ByteRead& read : reads) {
      EXPECT_GE(read.offset, end) << "ranges ascend and do not overlap";
      EXPECT_FALSE(read.to.empty());
      end = read.offset + read.to.size();
      EXPECT_LE(end, bytes_.size());
      if (end > bytes_.size()) return;
    }
    for (std::size_t i = 0; i < reads.size(); ++i) {
      if (failure && rounds_ == fail_in && i == reads.size() / 2) {
        // A part of what was asked for has come.
        copy(reads[i].offset, reads[i].to.first(reads[i].to.size() / 2));
        failure();
      }
      copy(reads[i].offset, reads[i].to);
      asked_ += reads[i].to.size();
    }
  }

  // Since the last reset(), or as they are now.
  int rounds() const { return rounds_; }
  std::uint64_t asked() const { return asked_; }
  void reset() {
    rounds_ = 0;
    asked_ = 0;
  }
  std::vector<std::byte>& bytes() { return bytes_; }

  std::chrono::microseconds delay{0};  // of each round
  // Called in the middle of the round `fail_in`, counted from 1 since the last reset().
  std::function<void()> failure;
  int fail_in = 1;

 private:
  void copy(std::uint64_t offset, std::span<std::byte> to) const {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
  }

  std::string name_;
  std::vector<std::byte> bytes_;
  mutable std::mutex mutex_;
  mutable int rounds_ = 0;
  mutable std::uint64_t asked_ = 0;
};

}  // namespace mlarray::test
