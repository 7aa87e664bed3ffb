// Which samples of an epoch are in which batch of which rank. Plain arithmetic. Internal.
#pragma once

#include <cstdint>

namespace mlarray::training {

struct EpochPlan {
  std::int64_t samples = 0;  // of all ranks
  std::int64_t batch = 1;
  std::int64_t world_size = 1;
  std::int64_t rank = 0;
  bool drop_last = true;

  // Of this rank, and of every other.
  std::int64_t batches() const {
    const std::int64_t step = batch * world_size;
    return drop_last ? samples / step : (samples + step - 1) / step;
  }
  // The number among all ranks' of a batch of this rank.
  std::int64_t number(std::int64_t of_rank) const { return of_rank * world_size + rank; }
  // What does not fill a batch is filled up from the epoch's start.
  std::int64_t sample(std::int64_t number, std::int64_t place) const {
    return (number * batch + place) % samples;
  }
};

}  // namespace mlarray::training
