// Batches and the memory that they go round in. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "mlarray/training/loader.hpp"
#include "training/batch_layout.hpp"

namespace mlarray::training {

// Memory at addresses that are multiples of 64.
class Buffer {
 public:
  explicit Buffer(std::int64_t bytes);  // at least 1. Errors: std::bad_alloc
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::byte* data_;
};

// Buffers of one size that are free. New memory costs a page fault every 4 KiB. Safe from any
// thread.
class BufferPool {
 public:
  // Keeps up to `most` free ones.
  BufferPool(std::int64_t bytes, std::size_t most) : bytes_(bytes), most_(most) {}
  std::unique_ptr<Buffer> take();
  void give_back(std::unique_ptr<Buffer> buffer) noexcept;
  void close() noexcept;  // keeps none from now on

 private:
  const std::int64_t bytes_;
  std::size_t most_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Buffer>> free_;
};

class Batch::Impl {
 public:
  // Threads of the loader hold an OperationGuard; whoever lets go of a batch need not.
  Impl(const BatchLayout& layout, std::shared_ptr<BufferPool> pool, std::int64_t epoch,
       std::int64_t index);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::byte* data() const { return buffer_->data(); }

  std::vector<Field> fields;
  std::vector<Draw> draws;
  std::vector<Matrix> affines;  // of the patches
  std::int64_t epoch;
  std::int64_t index;
  int label;  // in `fields`; -1: none

 private:
  std::shared_ptr<BufferPool> pool_;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace mlarray::training
