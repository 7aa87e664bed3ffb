// The metadata of a damaged file, and what it tells of the array.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "mlarray/salvage.hpp"
#include "salvage/scan.hpp"
#include "salvage/states.hpp"

namespace mlarray::salvaging {

struct FoundMetadata {
  SalvagedMetadata status = SalvagedMetadata::absent;
  std::vector<std::byte> layer;            // the chunk as it was stored; empty if there is none
  std::vector<frame::VlMetalayer> others;  // further metalayers that are whole
};

// Of the state that was taken, else of another one. `state` empty: of any.
FoundMetadata find_metadata(const DamagedFile& file, const Survey& survey,
                            std::optional<std::size_t> state, std::size_t header,
                            const StateContent& content);

// What the metadata says of the array. Only of metadata that its gzip stream covers; empty for
// other bytes.
struct ToldLayout {
  Shape shape;
  Shape chunk;
  Shape block;
};
std::optional<ToldLayout> layout_told_by(const io::Bytes& layer, WorkBudget& budget);
// By the header of a chunk: can its value be a gzip stream, which has about as many bytes as
// the chunk?
bool may_hold_gzip(std::span<const std::byte> chunk);

// The shape of the array by the metadata of a state, if that can be read and says it.
std::optional<Shape> shape_told_by(const DamagedFile& file, const HeaderGuess& header,
                                   const StateContent& content);

// Which header fits a state: of a sealed one the right one, else one whose shape is what the
// metadata says.
std::size_t header_of(const DamagedFile& file, const Survey& survey, std::size_t state);

}  // namespace mlarray::salvaging
