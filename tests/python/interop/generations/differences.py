"""Where this package answers otherwise than 0.0.33 or 0.0.54, and why.

One entry for each reason: the versions, patterns of the cases that differ, and
the reason. The test fails for a difference that is not here, and for a pattern that meets none.
docs/names.md shows the list.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

OLDER = ("0.0.33",)
NEWER = ("0.0.54",)
BOTH = OLDER + NEWER


class Difference(NamedTuple):
    """Why some cases differ."""

    versions: tuple[str, ...]
    there: str
    here: str
    cases: tuple[str, ...]

    def covers(self, version: str, case: str) -> bool:
        """Whether it explains that a case differs from a version."""
        return version in self.versions and any(fnmatchcase(case, one) for one in self.cases)


DIFFERENCES = [
    Difference(
        NEWER,
        "`spacing`, `origin` and `direction` are None where an affine is stored, and setting "
        "one is a `ValueError`",
        "they are taken out of the affine, and setting one rewrites it",
        (
            "MLArray.affine: affines_newer: spacing",
            "MLArray.affine: affines_newer: origin",
            "MLArray.affine: affines_newer: spacing beside affine",
            "MLArray.affine: affines_newer: affine kept",
        ),
    ),
    Difference(
        OLDER,
        "an image made of an array has no voxels, shape, dtype or affine until it is saved",
        "it holds the array from the start",
        (
            "MLArray: constructor: voxels are those given",
            "MLArray: constructor_older: channel_axis last",
            "MLArray.__getitem__: indexing: memory: *",
            "MLArray.__getitem__: indexing: assign [iso]*",
            "MLArray.__getitem__: indexing: assign list",
            "MLArray.affine: affines: *",
            "MLArray.shape: facts: memory",
            "MLArray.spacing: vectors_read: in place",
            "MLArray.to_numpy: to_numpy: memory: *",
        ),
    ),
    Difference(
        BOTH,
        "dicts and lists are shared between images, metadata and their maker",
        "everything is copied: an edit of one never changes another",
        (
            "MLArray: constructor: a dict is not shared",
            "BaseMeta.copy_from: copy_from: shares nothing",
            "SingleKeyBaseMeta: single_sections: dict: not shared",
        ),
    ),
    Difference(
        BOTH,
        "an image is no array to make an image of",
        "`MLArray(image)` and `MLArray.asarray(image)` work, and take the metadata along",
        ("MLArray: constructor: an image", "MLArray.asarray: of_others: asarray of an image"),
    ),
    Difference(
        BOTH,
        "numbers of NumPy are a `TypeError`, all or those that are no float",
        "every number is taken, and kept as a number of Python",
        (
            "MLArray: constructor: np.int64 in spacing",
            "MetaStatistics: statistics: np.float32",
            "MetaStatistics: statistics: left as it was",
            "is_serializable: serializable: array",
        ),
    ),
    Difference(
        BOTH,
        "arrays of objects are taken, or fail with another error",
        "refused: a file with them could not be read safely",
        ("MLArray: constructor: objects",),
    ),
    Difference(
        OLDER,
        "wrong lengths and types of metadata are found when saving, or not at all",
        "the argument or the assignment is refused at once",
        (
            "MLArray: constructor: spacing too long",
            "MLArray: constructor: origin too short",
            "MLArray: constructor: direction not square",
            "MLArray: constructor: a list",
            "MLArray: constructor_older: channel_axis too large",
            "MetaStatistics: statistics: text",
            "MetaStatistics: statistics: saved",
            "SingleKeyBaseMeta: single_sections: dict: no *",
            "SingleKeyBaseMeta: single_sections: dict: as it was",
        ),
    ),
    Difference(
        BOTH,
        "wrong values that were put into a list in place are saved",
        "saving is refused, naming the field and the place",
        ("MLArray.spacing: vectors*: bad in place, saved",),
    ),
    Difference(
        BOTH,
        "boxes may have any number of axes and a lower bound above the upper",
        "`ValueError`",
        (
            "MetaBbox: boxes: axes differ",
            "MetaBbox: boxes: lower above upper",
            "MetaBbox: boxes: for other axes",
        ),
    ),
    Difference(
        NEWER,
        "`axis_units` may have any length",
        "one unit for each axis of the array, else `ValueError`",
        ("MetaSpatial: spatial_newer: units too few",),
    ),
    Difference(
        OLDER,
        "a path together with metadata is a `TypeError`, by a mistake in the error itself",
        "`RuntimeError`, as in 0.0.54",
        ("MLArray: constructor: path and more",),
    ),
    Difference(
        NEWER,
        "one length for all axes is not taken as `chunk_size` and `block_size`",
        "it is",
        ("MLArray: constructor_newer: one size, saved",),
    ),
    Difference(
        NEWER,
        "an array that was not compressed is saved without a recorded patch size",
        "it is saved as any other",
        ("MLArray: constructor_newer: not compressed, saved",),
    ),
    Difference(
        NEWER,
        "images without voxels, without axes or without an axis of space are errors, or get an "
        "axis",
        "they are images like others",
        (
            "MLArray: constructor_newer: an empty axis",
            "MLArray: constructor_newer: no axes",
            "MLArray: constructor_newer: no axis of space",
            "MLArray.empty: filled: empty axis",
            "MLArray.empty: filled: no axes",
        ),
    ),
    Difference(
        NEWER,
        "a negative length is a `RuntimeError`, and a fraction is cut",
        "`ValueError` and `TypeError`, as in NumPy",
        ("MLArray.empty: filled: negative length", "MLArray.empty: filled: lengths no ints"),
    ),
    Difference(
        NEWER,
        "`c_order=False` is without effect on compressed arrays",
        "it puts the values in the order of Fortran, always",
        ("MLArray.arange: ranges: c_order",),
    ),
    Difference(
        NEWER,
        "`arange` cannot count down, nor end between two values",
        "it does what `numpy.arange` does",
        ("MLArray.arange: ranges: down", "MLArray.arange: ranges: odd end"),
    ),
    Difference(
        NEWER,
        "`.b2nd` files are refused",
        "they are read and written, as in 0.0.33",
        ("MLArray.open: opening_newer: a .b2nd file",),
    ),
    Difference(
        OLDER,
        "`.b2nd` files of two axes cannot be read",
        "they are read and written",
        ("MLArray.open: opening_older: a .b2nd file",),
    ),
    Difference(
        NEWER,
        "loading a URL is a `NotImplementedError`",
        "`FileNotFoundError`, as in 0.0.33, and `RuntimeError`; the text says that it is a URL",
        ("MLArray.open: opening: loading a URL",),
    ),
    Difference(
        NEWER,
        "`mode` is what was given",
        "with `mmap_mode='c'` it is `'r'`: edits do not reach the file",
        ("MLArray.open: opening_newer: mode c",),
    ),
    Difference(
        OLDER,
        "`open(channel_axis=)` does not record the axis",
        "it is recorded",
        ("MLArray.open: opening_older: its channel axis",),
    ),
    Difference(
        OLDER,
        "a loaded image still needs its file",
        "it is in memory, and the file may go",
        ("MLArray.load: loading: voxels",),
    ),
    Difference(
        BOTH,
        "saving over a file that is in use fails, and the file is gone",
        "it is replaced as a whole",
        (
            "MLArray.save: saving: again",
            "MLArray.save: saving: saved again",
            "MLArray.save: saving: over itself",
            "MLArray.save: saving: saved over itself",
            "MLArray.save: saving_older: cparams",
        ),
    ),
    Difference(
        OLDER,
        "the patch size of an earlier save is recorded again",
        "what this save used is recorded",
        (
            "MLArray.save: saving_older: sizes, recorded",
            "MLArray.save: saving_older: default, recorded",
        ),
    ),
    Difference(
        BOTH,
        "after `close()`, `shape` and `meta` are `None` and `spacing` is an `AttributeError`",
        "`shape` stays known; what needs the file says that it is closed",
        (
            "MLArray.close: closing: shape",
            "MLArray.close: closing: meta",
            "MLArray.close: closing: spacing",
        ),
    ),
    Difference(
        BOTH,
        "`numpy.array(image)` warns in NumPy 2",
        "no warning",
        ("MLArray.to_numpy: to_numpy: *: array", "MLArray.to_numpy: to_numpy: *: array copy"),
    ),
    Difference(
        BOTH,
        "one voxel is an array without axes",
        "a scalar, as in NumPy",
        (
            "MLArray.__getitem__: indexing: open: ints",
            "MLArray.__getitem__: indexing: memory: ints",
        ),
    ),
    Difference(
        BOTH,
        "lists are no keys to assign by, and values are not broadcast",
        "assignment is that of NumPy, errors included",
        (
            "MLArray.__getitem__: indexing: assign list",
            "MLArray.__getitem__: indexing: assign an array",
            "MLArray.__getitem__: indexing: assign what does not fit",
            "MLArray.__getitem__: indexing: the file",
        ),
    ),
    Difference(
        OLDER,
        "a file of metadata only has no `ndim`",
        "that which its metadata tells, as in 0.0.54",
        ("MLArray.shape: facts: metadata only",),
    ),
    Difference(
        NEWER,
        "`image.meta` cannot be assigned",
        "it can, as in 0.0.33; what is assigned is copied",
        ("MLArray.meta: meta_of_an_image: assigned",),
    ),
    Difference(
        OLDER,
        "`comp_blosc2_params` without `channel_axis` gives the layout of that version",
        "that of 0.0.54; `comp_blosc2_params_baseline` gives the older one",
        tuple(f"MLArray.comp_blosc2_params: layouts_older: {kind}" for kind in ("?-D", "flat")),
    ),
    Difference(
        NEWER,
        "`generalized` and `spatial_only` are layouts of their own that it never uses",
        "they are names of `spatial_only_magnitude`",
        (
            "MLArray.comp_blosc2_params: layouts_newer: generalized: *",
            "MLArray.comp_blosc2_params: layouts_newer: spatial_only: *",
        ),
    ),
    Difference(
        BOTH,
        "the header has nothing of the array, and the names of the version",
        "a section `array` with layout, codec and seal, and the names of 0.0.54",
        ("cli_print_header: header: sections", "cli_print_header: header: spatial"),
    ),
    Difference(
        OLDER,
        "mappings have the section `original` and no fields of later versions",
        "they have the names of 0.0.54; both are taken",
        (
            "Meta: meta: mapping",
            "Meta: meta: plain with none",
            "Meta: meta_older: by position",
        ),
    ),
    Difference(
        OLDER,
        "a section that is assigned a dict or a value is that from then on",
        "it is made a section of it, as in 0.0.54",
        ("Meta: meta: section of a dict", "Meta: meta: section of a value"),
    ),
    Difference(
        NEWER,
        "`reset` of `Meta` and of `MetaSpatial` fails on fields that the library manages",
        "it leaves sections alone that are managed, and unsets the others",
        ("BaseMeta: sections: MetaSpatial: reset", "Meta: meta: reset"),
    ),
    Difference(
        NEWER,
        "assigning a managed count is a `ValueError`, where another check is earlier",
        "`AttributeError`, as for other managed fields",
        ("Meta: meta_newer: counts are managed",),
    ),
    Difference(
        BOTH,
        "a section of one value never equals that value",
        "it does",
        (
            "SingleKeyBaseMeta: single_sections: *: of the value",
            "SingleKeyBaseMeta: single_sections: *: of a mapping",
            "SingleKeyBaseMeta: single_sections: dict: equal",
            "SingleKeyBaseMeta: single_sections: flag: equal",
        ),
    ),
]
