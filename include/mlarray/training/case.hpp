// Case: what belongs to one subject.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mlarray::training {

// Files of one grid: their spatial shapes are the same. Channels are stacked in the order of
// the files. A file has the spatial axes, or one axis more: its channels, which are the axis
// that the metadata calls so, else the first.
struct Case {
  std::string name;  // what errors say; empty: the stem of the first image
  std::vector<std::filesystem::path> image;
  std::vector<std::filesystem::path> label = {};  // none: a case without labels
  // Others that are cut out with them, as maps of weights: name, files. Every case has the
  // same.
  std::vector<std::pair<std::string, std::vector<std::filesystem::path>>> extra = {};
  // nnU-Net's .pkl of a preprocessed case, whose class_locations are taken instead of a label
  // index (nnunet_class_locations()), unless the label map holds one that was made from lists.
  std::filesystem::path class_locations = {};
};

// The next case, or nothing after the last: for who has so many that a list of them is too
// large. Called until then, in the caller's thread.
using CaseSource = std::function<std::optional<Case>()>;

}  // namespace mlarray::training
