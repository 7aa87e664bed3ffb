// Edits of a damaged file.
#pragma once

#include <string>
#include <vector>

namespace mlarray::test {

// Damages every block of a file in turn, edits the other voxels of its chunk without
// verification, and lists what then reads as verified and is wrong.
std::vector<std::string> edit_damaged_file();

}  // namespace mlarray::test
