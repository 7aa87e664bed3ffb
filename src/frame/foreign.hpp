// Names the format of a file that is no frame, so that an error can say what to do with it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace mlarray::frame {

// Enough of a file's start for every format that is known.
inline constexpr std::size_t kForeignBytes = 512;

struct Foreign {
  std::string_view what;     // "a gzip file (such as .nii.gz)"; empty if unknown
  std::string_view way_out;  // what to do with it
};

// By the first bytes of a file, at most kForeignBytes of them. Never fails.
Foreign recognise(std::span<const std::byte> start) noexcept;

}  // namespace mlarray::frame
