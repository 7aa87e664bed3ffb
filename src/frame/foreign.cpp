#include "frame/foreign.hpp"

#include <algorithm>
#include <array>

namespace mlarray::frame {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kConvert = "convert it with 'mlarray convert'";
constexpr std::string_view kReadElsewhere =
    "read it with a library for that format and save the array as .mla";

struct Magic {
  std::size_t at;
  std::string_view bytes;
  std::string_view what;
  std::string_view way_out;
};

// Longer and rarer marks first: a NIfTI header begins with bytes that mean little alone.
constexpr std::array kMagics = {
    Magic{0, "\x1f\x8b"sv, "a gzip file (such as .nii.gz)",
          "convert it with 'mlarray convert' if it is an image, or unpack it"},
    Magic{344, "n+1\0"sv, "a NIfTI file", kConvert},
    Magic{344, "ni1\0"sv, "a NIfTI header", kConvert},
    Magic{4, "n+2\0"sv, "a NIfTI-2 file", kConvert},
    Magic{4, "ni2\0"sv, "a NIfTI-2 header", kConvert},
    Magic{0, "NRRD"sv, "an NRRD file", kConvert},
    Magic{128, "DICM"sv, "a DICOM file", kReadElsewhere},
    Magic{0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file", kReadElsewhere},
    Magic{0, "\x93NUMPY"sv, "a .npy file",
          "load it with numpy.load and save the array as .mla"},
    Magic{0, "PK\x03\x04"sv, "a ZIP archive (such as .npz or a zipped Zarr)",
          "load the array from it and save that as .mla"},
    Magic{0, "ObjectType ="sv, "a MetaImage header", kReadElsewhere},
    Magic{0, "II*\0"sv, "a TIFF file", kReadElsewhere},
    Magic{0, "MM\0*"sv, "a TIFF file", kReadElsewhere},
    Magic{0, "\x89PNG\r\n"sv, "a PNG file", kReadElsewhere},
    Magic{0, "\xff\xd8\xff"sv, "a JPEG file", kReadElsewhere},
    Magic{0, "\x28\xb5\x2f\xfd"sv, "a Zstandard file", "unpack it"},
    Magic{0, "BZh"sv, "a bzip2 file", "unpack it"},
    Magic{0,
          "\xfd"
          "7zXZ\0"sv,
          "an xz file", "unpack it"},
    Magic{257, "ustar"sv, "a tar archive", "unpack it"},
    Magic{0, "\x80\x02"sv, "a Python pickle", kReadElsewhere},
    Magic{0, "\x80\x04\x95"sv, "a Python pickle", kReadElsewhere},
    Magic{0, "version https://git-lfs"sv, "a Git LFS pointer", "fetch the file: git lfs pull"},
    Magic{0, "<!DOCTYPE"sv, "an HTML page", "the download failed; fetch the file again"},
    Magic{0, "<html"sv, "an HTML page", "the download failed; fetch the file again"},
    Magic{0, "{"sv, "JSON (such as the metadata of a Zarr folder)", kReadElsewhere},
};

}  // namespace

Foreign recognise(std::span<const std::byte> start) noexcept {
  for (const Magic& magic : kMagics) {
    if (start.size() < magic.at || start.size() - magic.at < magic.bytes.size()) continue;
    const auto found = start.subspan(magic.at, magic.bytes.size());
    if (std::equal(found.begin(), found.end(), magic.bytes.begin(),
                   [](std::byte a, char b) { return std::to_integer<char>(a) == b; })) {
      return {magic.what, magic.way_out};
    }
  }
  return {};
}

}  // namespace mlarray::frame
