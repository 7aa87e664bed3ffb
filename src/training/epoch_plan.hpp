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
  // What does not fill a batch is filled up from the epoch's whole batches, where there are
  // any, so that each sample keeps its place in a batch: what is forced depends on that.
  std::int64_t sample(std::int64_t number, std::int64_t place) const {
    const std::int64_t at = number * batch + place;
    if (at < samples) return at;
    const std::int64_t whole = samples / batch * batch;
    return at % (whole > 0 ? whole : samples);
  }
};

}  // namespace mlarray::training
