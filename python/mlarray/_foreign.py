"""Paths of other formats, and what to do with one where an image is expected."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

__all__ = ["NIFTI_SUFFIXES", "NRRD_SUFFIXES", "fault_of_path"]

# What mlarray.convert reads. ".nhdr" is the header of a detached NRRD.
NIFTI_SUFFIXES = (".nii.gz", ".nii")
NRRD_SUFFIXES = (".nrrd", ".nhdr")

_OTHERS = {
    ".npy": "a .npy file; load it with numpy.load",
    ".npz": "a .npz file; load its array with numpy.load",
    ".dcm": "a DICOM file; read its series with a DICOM library such as SimpleITK",
    ".zarr": "a Zarr array; read it with the package zarr",
    **dict.fromkeys((".h5", ".hdf5"), "an HDF5 file; read its array with h5py"),
    **dict.fromkeys((".mha", ".mhd"), "a MetaImage file; read it with SimpleITK"),
    **dict.fromkeys((".img", ".hdr"), "half of an Analyze or NIfTI pair; read it with nibabel"),
    **dict.fromkeys((".tif", ".tiff"), "a TIFF file; read it with a library such as tifffile"),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), "a picture; read it with Pillow or the like"),
}
_LOOKED_AT = 100  # entries of a folder
_SNIFFED = 5  # of its files


def fault_of_path(path: str, writes: bool = False) -> str:
    """Say why `path` is no path of an image, and the way out.

    Parameters
    ----------
    path : str
        Does not end in .mla or .b2nd.
    writes : bool
        Whether an image was to be saved there.

    Examples
    --------
    >>> print(fault_of_path("no.nii.gz"))
    'no.nii.gz' is a NIfTI file; convert it: mlarray convert no.nii.gz no.mla, or in Python \
mlarray.convert.convert('no.nii.gz', 'no.mla')
    """
    if os.path.isdir(path):
        return f"{path!r} is a folder{_of_folder(path, writes)}"
    lower = path.lower()
    for kind, suffixes in (("a NIfTI", NIFTI_SUFFIXES), ("an NRRD", NRRD_SUFFIXES)):
        for suffix in suffixes:
            if lower.endswith(suffix):
                ours = f"{path[: -len(suffix)]}.mla"
                if writes:
                    how = f"save {ours!r} and convert it: {_both_ways(ours, path)}"
                    return f"{path!r} is the name of {kind} file; {how}"
                return f"{path!r} is {kind} file; convert it: {_both_ways(path, ours)}"
    stem, suffix = os.path.splitext(path)
    if suffix.lower() in _OTHERS and not writes:
        return f"{path!r} is {_OTHERS[suffix.lower()]}, then {_save(stem)}"
    return f"{path!r} does not end in .mla or .b2nd; rename it"


def _both_ways(source: str, target: str) -> str:
    command = shlex.join(["mlarray", "convert", source, target])
    return f"{command}, or in Python mlarray.convert.convert({source!r}, {target!r})"


def _save(stem: str) -> str:
    return f"save that: MLArray(array).save({stem + '.mla'!r})"


def _of_folder(path: str, writes: bool) -> str:
    if writes:
        return "; name a file in it that ends in .mla or .b2nd"
    try:
        with os.scandir(path) as found:
            names = sorted(entry.name for _, entry in zip(range(_LOOKED_AT), found))
    except OSError:
        names = []
    if ours := _first(names, (".mla", ".b2nd")):
        return f"; give a file, such as {os.path.join(path, ours)!r}"
    if _first(names, (*NIFTI_SUFFIXES, *NRRD_SUFFIXES)):
        command = shlex.join(["mlarray", "convert", path, path.rstrip(os.sep) + "-mla"])
        return f" of NIfTI or NRRD files; convert them: {command}"
    stem = path.rstrip(os.sep)
    if {".zarray", ".zgroup", "zarr.json"} & set(names):
        return f" of a Zarr array; read it with the package zarr, then {_save(stem)}"
    if any(_is_dicom(os.path.join(path, name)) for name in _to_sniff(path, names)):
        return (
            f" of DICOM files; read the series with a DICOM library such as SimpleITK, then "
            f"{_save(stem)}"
        )
    return "; give a file"


def _first(names: list[str], suffixes: tuple[str, ...]) -> str | None:
    return next((name for name in names if name.lower().endswith(suffixes)), None)


def _to_sniff(path: str, names: list[str]) -> Iterator[str]:
    """Regular files only: opening a pipe would wait for a writer."""
    files = (name for name in names if os.path.isfile(os.path.join(path, name)))
    for _, name in zip(range(_SNIFFED), files):
        yield name


def _is_dicom(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
