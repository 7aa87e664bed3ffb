// The words for codecs, filters, presets, commit levels, seals and kinds of errors: one table
// each.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "mlarray/options.hpp"
#include "mlarray/verify.hpp"

namespace mlarray {
namespace {

template <class T, std::size_t N>
struct Words {
  std::string_view what;
  std::array<T, N> values;
  std::array<std::string_view, N> words;

  T parse(std::string_view word) const {
    std::string lower(word);
    for (char& letter : lower) {
      if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    std::string known;
    for (std::size_t i = 0; i < N; ++i) {
      if (words[i] == lower) return values[i];
      known += (i == 0 ? "" : ", ") + std::string(words[i]);
    }
    throw Error(ErrorKind::invalid_value,
                std::string(what) + " " + base::quote(word) + " is not one of " + known);
  }

  std::string name(T value) const {
    const auto found = std::find(values.begin(), values.end(), value);
    if (found == values.end()) return std::to_string(static_cast<int>(value));
    return std::string(words[static_cast<std::size_t>(found - values.begin())]);
  }
};

constexpr Words<CommitLevel, 3> kCommitLevels = {
    "commit level",
    {CommitLevel::none, CommitLevel::ordered, CommitLevel::durable},
    {"none", "ordered", "durable"}};
constexpr Words<Codec, 5> kCodecs = {
    "codec",
    {Codec::blosclz, Codec::lz4, Codec::lz4hc, Codec::zlib, Codec::zstd},
    {"blosclz", "lz4", "lz4hc", "zlib", "zstd"}};
constexpr Words<Filter, 7> kFilters = {
    "filter",
    {Filter::none, Filter::shuffle, Filter::bitshuffle, Filter::delta, Filter::trunc_prec,
     Filter::bytedelta, Filter::int_trunc},
    {"nofilter", "shuffle", "bitshuffle", "delta", "trunc_prec", "bytedelta", "int_trunc"}};
constexpr Words<Preset, 3> kPresets = {
    "preset", {Preset::fast, Preset::balanced, Preset::small}, {"fast", "balanced", "small"}};
constexpr Words<Seal, 5> kSeals = {
    "seal",
    {Seal::valid, Seal::absent, Seal::edited, Seal::unchecked, Seal::broken},
    {"valid", "absent", "edited", "unchecked", "broken"}};
constexpr Words<ErrorKind, 12> kErrorKinds = {
    "kind of error",
    {ErrorKind::invalid_value, ErrorKind::invalid_type, ErrorKind::invalid_use,
     ErrorKind::closed, ErrorKind::read_only, ErrorKind::layout, ErrorKind::out_of_bounds,
     ErrorKind::not_found, ErrorKind::busy, ErrorKind::io, ErrorKind::corruption,
     ErrorKind::unsupported},
    {"invalid_value", "invalid_type", "invalid_use", "closed", "read_only", "layout",
     "out_of_bounds", "not_found", "busy", "io", "corruption", "unsupported"}};

}  // namespace

CommitLevel commit_level_from(std::string_view word) { return kCommitLevels.parse(word); }
Codec codec_from(std::string_view word) { return kCodecs.parse(word); }
Filter filter_from(std::string_view word) { return kFilters.parse(word); }
Preset preset_from(std::string_view word) { return kPresets.parse(word); }

std::string to_string(CommitLevel level) { return kCommitLevels.name(level); }
std::string to_string(Codec codec) { return kCodecs.name(codec); }
std::string to_string(Filter filter) { return kFilters.name(filter); }
std::string to_string(Preset preset) { return kPresets.name(preset); }
std::string to_string(Seal seal) { return kSeals.name(seal); }
std::string to_string(ErrorKind kind) { return kErrorKinds.name(kind); }

std::span<const CommitLevel> commit_levels() noexcept { return kCommitLevels.values; }
std::span<const Codec> codecs() noexcept { return kCodecs.values; }
std::span<const Filter> filters() noexcept { return kFilters.values; }
std::span<const Preset> presets() noexcept { return kPresets.values; }

void CodecParams::set_filters(std::initializer_list<Filter> these) {
  if (these.size() > filters.size()) {
    throw Error(ErrorKind::invalid_value, std::to_string(these.size()) +
                                              " filters; Blosc2 has " +
                                              std::to_string(filters.size()) + " slots");
  }
  filters = {};
  filters_meta = {};
  std::size_t slot = filters.size() - these.size();
  for (const Filter filter : these) filters[slot++] = static_cast<std::uint8_t>(filter);
}

std::vector<Filter> CodecParams::used_filters() const {
  std::vector<Filter> used;
  for (const std::uint8_t code : filters) {
    if (const auto filter = static_cast<Filter>(code); filter != Filter::none) {
      used.push_back(filter);
    }
  }
  return used;
}

}  // namespace mlarray
