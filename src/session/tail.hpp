// What a state puts behind its chunks: pages of tables, index, trailer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "frame/frame.hpp"
#include "session/snapshot.hpp"
#include "store/records.hpp"
#include "store/tables.hpp"

namespace mlarray::session {

struct Tail {
  std::vector<std::byte> pages;  // of tables
  std::vector<std::byte> bytes;  // behind them: index and trailer, sealed
  std::size_t index_bytes = 0;   // so many of them are the index chunk
  store::WrittenTables tables;
  std::vector<frame::VlMetalayer> layers;  // as the trailer has them
};

// `tables` were made for `position`, where the pages will stand. `layers`: all metalayers but
// those of the tables; `records`: all but those, with their pages in the file. `header` and
// `header_bytes` get what the flip needs.
// Errors: unsupported for more index or metadata than the format holds.
Tail build_tail(frame::Header& header, std::vector<std::byte>& header_bytes,
                std::uint64_t position, std::vector<std::byte> index_chunk,
                store::NewTables tables, std::vector<frame::VlMetalayer> layers,
                std::vector<store::Record> records = {});

// The records of a state but those of the tables.
std::vector<store::Record> records_that_hold(const Snapshot& state);

}  // namespace mlarray::session
