// The report of a file: what of it is verified, what is damaged. Plain values.
// What the words mean: docs/integrity.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/types.hpp"

namespace mlarray {

// Whether the bytes of a file are what this library committed.
enum class Seal {
  valid,      // our fingerprint matches: ours, and whole
  absent,     // written by another Blosc2 writer: nothing can be verified
  edited,     // ours, and edited by another Blosc2 writer since: nothing can be verified
  unchecked,  // there is one, but verification was off
  broken,     // does not match; only in reports, because such files do not open
};

// Its name, as above: "valid".
MLARRAY_EXPORT std::string to_string(Seal seal);

struct VerifyOptions {
  bool decode = true;  // false: checksums and structure only, several times faster
  int threads = 0;     // 0: the process-wide number
  // Called on any thread, one call at a time, with chunks looked at and chunks in all.
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};
};

// One place that cannot be trusted.
struct Damage {
  std::int64_t chunk = -1;  // -1: not in a chunk (seal, metadata, the file as a whole)
  std::int64_t block = -1;  // -1: the whole chunk
  Box voxels;               // what it covers; without axes if not in a chunk
  std::string what;         // one line
};

struct VerifyReport {
  Seal seal = Seal::absent;
  bool opened = false;  // false: not even the structure could be read
  std::int64_t chunks = 0;
  // Of blocks that are stored; chunks named by the index alone have none.
  std::int64_t blocks = 0;
  std::int64_t verified_blocks = 0;    // checksum right
  std::int64_t unverified_blocks = 0;  // no checksum recorded
  std::int64_t damaged_blocks = 0;     // checksum wrong, or cannot be decoded
  std::vector<Damage> damage;          // in the order of the file; the first 10000
  bool damage_is_complete = true;      // false: there was more

  bool damaged() const { return !damage.empty(); }
  // No damage, the seal right, and every block with a checksum.
  bool verified() const {
    return !damaged() && opened && seal == Seal::valid && unverified_blocks == 0;
  }
};

// Of a file that may be too damaged to be opened: what can be read is looked at anyway.
// Works while another process writes it. Errors: not_found; io. What is wrong with the bytes is
// in the report.
MLARRAY_EXPORT VerifyReport verify_file(const std::filesystem::path& path,
                                        const VerifyOptions& options = {});

}  // namespace mlarray
