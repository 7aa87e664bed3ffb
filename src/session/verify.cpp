// Looking at everything: the seal, every checksum, and whether every block decodes.
#include "mlarray/verify.hpp"

#include <algorithm>
#include <mutex>

#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/decode_job.hpp"
#include "session/impl.hpp"

namespace mlarray {
namespace session {
namespace {

constexpr std::size_t kMaxDamage = 10000;

// What one chunk adds to the report.
struct ChunkReport {
  std::int64_t blocks = 0;
  std::int64_t verified = 0;
  std::int64_t unverified = 0;
  std::vector<Damage> damage;
};

class ChunkVerifier {
 public:
  ChunkVerifier(const store::ChunkStore& store, const grid::Geometry& geometry, bool decode)
      : store_(store), geometry_(geometry), decode_(decode) {}

  ChunkReport look_at(std::int64_t number) {
    ChunkReport report;
    try {
      const pipeline::DecodeJob job(store_.get(number), geometry_, number,
                                    pipeline::Verify::always);
      store_.prefetch(job.ref());
      if (job.ref().special == codec::Special::none) look_at(job, report);
    } catch (const Error& error) {
      report = {
          .blocks = geometry_.block_count(), .verified = 0, .unverified = 0, .damage = {}};
      report.damage.push_back({number, -1, geometry_.chunk_box(number), error.what()});
    }
    return report;
  }

 private:
  void look_at(const pipeline::DecodeJob& job, ChunkReport& report) {
    const std::int64_t number = job.number();
    const bool special = job.special() != codec::Special::none;
    const bool whole = job.is_whole();
    const std::int32_t count = special ? 1 : job.header().block_count();
    report.blocks = count;
    for (std::int32_t block = 0; block < count; ++block) {
      try {
        if (decode_ && !whole) {
          job.decode_block(decoder_, block, scratch(geometry_.block_bytes()));
        } else {
          job.verify(block);
        }
        ++(job.has_sums() ? report.verified : report.unverified);
      } catch (const Error& error) {
        const Box box =
            special ? geometry_.chunk_box(number) : geometry_.block_box(number, block);
        report.damage.push_back({number, block, box, error.what()});
      }
    }
    if (decode_ && whole && !special && report.damage.empty()) {
      job.decode_all(decoder_, scratch(geometry_.chunk_bytes()));
    }
  }

  std::span<std::byte> scratch(std::int64_t bytes) {
    const auto size = static_cast<std::size_t>(bytes);
    if (scratch_.size() < size) scratch_.resize(size);
    return std::span(scratch_).first(size);
  }

  const store::ChunkStore& store_;
  const grid::Geometry& geometry_;
  bool decode_;
  codec::Decoder decoder_;
  std::vector<std::byte> scratch_;
};

void add_damage(VerifyReport& report, Damage damage) {
  if (report.damage.size() < kMaxDamage) {
    report.damage.push_back(std::move(damage));
  } else {
    report.damage_is_complete = false;
  }
}

void verify_chunks(const Snapshot& state, const VerifyOptions& options, VerifyReport& report) {
  const std::int64_t total = state.geometry().chunk_count();
  report.chunks = total;
  std::mutex mutex;
  std::int64_t done = 0;
  const int threads = parallel::worker_count(static_cast<std::size_t>(total), options.threads);
  std::vector<std::unique_ptr<ChunkVerifier>> verifiers(static_cast<std::size_t>(threads));
  parallel::parallel_for(
      static_cast<std::size_t>(total), threads, [&](std::size_t i, int worker) {
        auto& verifier = verifiers[static_cast<std::size_t>(worker)];
        if (!verifier) {
          verifier =
              std::make_unique<ChunkVerifier>(*state.chunks, state.geometry(), options.decode);
        }
        ChunkReport chunk = verifier->look_at(static_cast<std::int64_t>(i));
        const std::lock_guard lock(mutex);
        report.blocks += chunk.blocks;
        report.verified_blocks += chunk.verified;
        report.unverified_blocks += chunk.unverified;
        report.damaged_blocks += chunk.blocks - chunk.verified - chunk.unverified;
        for (Damage& damage : chunk.damage) add_damage(report, std::move(damage));
        if (options.progress) options.progress(++done, total);
      });
  std::stable_sort(report.damage.begin(), report.damage.end(),
                   [](const Damage& a, const Damage& b) { return a.chunk < b.chunk; });
}

// The seal of a file in which verification was off when it was opened.
void look_at_seal(io::ByteSource& source, VerifyReport& report) {
  try {
    report.seal = frame::read_state(source).seal;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) throw;
    report.seal = Seal::broken;
    add_damage(report, {-1, -1, {}, error.what()});
  }
}

void look_at_metadata(const Snapshot& state, VerifyReport& report) {
  try {
    state.metadata();
  } catch (const Error& error) {
    // What is only unknown to us is no damage.
    if (error.kind() != ErrorKind::corruption) return;
    add_damage(report, {-1, -1, {}, error.what()});
  }
}

}  // namespace
}  // namespace session

VerifyReport Array::verify(const VerifyOptions& options) const {
  const parallel::OperationGuard guard;
  const auto shown = impl_->open_snapshot();
  const session::Snapshot& state = *shown;
  VerifyOptions used = options;
  if (used.threads == 0) used.threads = impl_->threads;
  return io::checked(*state.chunks, [&] {
    VerifyReport report;
    report.opened = true;
    report.seal = state.seal;
    if (state.seal == Seal::unchecked) session::look_at_seal(state.chunks->source(), report);
    session::look_at_metadata(state, report);
    session::verify_chunks(state, used, report);
    return report;
  });
}

VerifyReport verify_file(const std::filesystem::path& path, const VerifyOptions& options) {
  try {
    // With verification off, a file whose seal is broken opens, and the report says so.
    return Array::open(path, {.verify = false}).verify(options);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corruption && error.kind() != ErrorKind::unsupported) throw;
    VerifyReport report;
    report.damage.push_back({-1, -1, {}, error.what()});
    return report;
  }
}

}  // namespace mlarray
