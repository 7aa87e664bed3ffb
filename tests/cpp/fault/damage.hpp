// Edits of a damaged file.
#pragma once

#include <string>
#include <vector>

namespace mlarray::test {

// Damages every block of a file in turn, edits other voxels of its chunk without verification,
// in the same block and in others, and lists what then reads as verified and is wrong.
std::vector<std::string> edit_damaged_file();

// Edits of a whole file, block by block, and what is wrong with what is then read.
std::vector<std::string> edit_whole_file();

// Leaves a flip half written, in ways that the library cannot mend: killed in its middle, or
// with every write failing from there on. Returns what is wrong with what mlarray::salvage()
// finds.
std::vector<std::string> salvage_half_flips();

// Lets others edit files with records, and lists what is then believed and not true.
std::vector<std::string> believe_stale_records();

// Damages a page of checksums, and the voxels that it is for, in a file that has them in pages.
// Lists what then reads as verified and is wrong, or gets a right hash by a commit.
std::vector<std::string> believe_damaged_pages();

}  // namespace mlarray::test
