// Many threads read one Array, as the workers of a data loader do.
//   threads FILE
#include <cstdint>
#include <cstdio>
#include <functional>
#include <future>
#include <numeric>
#include <vector>

#include "mlarray/mlarray.hpp"

namespace {

long long sum_of(const mlarray::Array& image, const mlarray::Box& box, int threads) {
  // With many readers, one thread for each call is best: they do not wait for each other.
  const auto voxels = image.read<std::int16_t>(box, threads);
  return std::accumulate(voxels.begin(), voxels.end(), 0LL);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: threads FILE\n"), 2;

  const auto image = mlarray::Array::open(argv[1]);
  const mlarray::Shape shape = image.shape();

  std::vector<std::future<long long>> slabs;
  for (std::int64_t z = 0; z < shape[0]; z += 6) {
    const mlarray::Box box{.start = {z, 0, 0}, .stop = {z + 6, shape[1], shape[2]}};
    slabs.push_back(std::async(std::launch::async, sum_of, std::cref(image), box, 1));
  }
  long long sum = 0;
  for (auto& slab : slabs) sum += slab.get();  // an error of a thread is thrown here

  const long long whole = sum_of(image, mlarray::Box::whole(shape), 0);
  std::printf("%zu threads, sum %lld, %s\n", slabs.size(), sum,
              sum == whole ? "as in one read" : "unlike one read");
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
