// Batches and the memory that they go round in. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/memory.hpp"
#include "mlarray/training/loader.hpp"
#include "training/batch_layout.hpp"

namespace mlarray::training {

// Pieces of memory of one size that are free. New memory costs a page fault every 4 KiB. Safe
// from any thread.
class MemoryPool {
 public:
  // Keeps up to `most` free ones.
  MemoryPool(std::int64_t bytes, std::size_t most) : bytes_(bytes), most_(most) {}
  base::Memory take();
  void give_back(base::Memory memory) noexcept;
  void close() noexcept;  // keeps none from now on

 private:
  const std::int64_t bytes_;
  std::size_t most_;
  std::mutex mutex_;
  std::vector<base::Memory> free_;
};

class Batch::Impl {
 public:
  // Threads of the loader hold an OperationGuard; whoever lets go of a batch need not.
  Impl(const BatchLayout& layout, std::shared_ptr<MemoryPool> pool, std::int64_t epoch,
       std::int64_t index);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::byte* data() const { return memory_.data(); }

  std::vector<Field> fields;
  std::vector<Draw> draws;
  std::vector<Matrix> affines;  // of the patches
  std::int64_t epoch;
  std::int64_t index;
  int label;  // in `fields`; -1: none

 private:
  std::shared_ptr<MemoryPool> pool_;
  base::Memory memory_;
};

}  // namespace mlarray::training
