"""Where this package answers otherwise than 0.0.33 or 0.0.54, and why.

One entry for each reason: the versions, patterns of the cases that differ, and
the reason. The test fails for a difference that is not here, and for a pattern that meets none.
tools/generate_names.py writes the list to docs/differences.csv.
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
        "with an affine, `spacing`, `origin` and `direction` are None; setting one is a "
        "`ValueError`",
        "taken out of the affine; setting one rewrites it",
        (
            "MLArray.affine: affines_newer: spacing",
            "MLArray.affine: affines_newer: origin",
            "MLArray.affine: affines_newer: spacing beside affine",
            "MLArray.affine: affines_newer: affine kept",
        ),
    ),
    Difference(
        OLDER,
        "an image of an array has no voxels, shape, dtype or affine until it is saved",
        "it has them at once",
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
        "images, metadata and their makers share dicts and lists",
        "everything is copied",
        (
            "MLArray: constructor: a dict is not shared",
            "BaseMeta.copy_from: copy_from: shares nothing",
            "SingleKeyBaseMeta: single_sections: dict: not shared",
        ),
    ),
    Difference(
        BOTH,
        "an image cannot be made of an image",
        "`MLArray(image)` and `MLArray.asarray(image)` work and copy the metadata",
        ("MLArray: constructor: an image", "MLArray.asarray: of_others: asarray of an image"),
    ),
    Difference(
        BOTH,
        "numbers of NumPy, or those that are no float, are a `TypeError`",
        "all numbers become Python's",
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
        "refused: no safe way to read them",
        ("MLArray: constructor: objects",),
    ),
    Difference(
        OLDER,
        "wrong lengths and types of metadata are found when saving, or never",
        "refused at once",
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
        "wrong values put into a list in place are saved",
        "saving is refused, naming field and place",
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
        "one unit per axis of the array, else `ValueError`",
        ("MetaSpatial: spatial_newer: units too few",),
    ),
    Difference(
        OLDER,
        "a path with metadata is a `TypeError`, by mistake",
        "`RuntimeError`, as in 0.0.54",
        ("MLArray: constructor: path and more",),
    ),
    Difference(
        NEWER,
        "`chunk_size` and `block_size` do not take one length for all axes",
        "they do",
        ("MLArray: constructor_newer: one size, saved",),
    ),
    Difference(
        NEWER,
        "an array that was not compressed is saved without its patch size",
        "with it",
        ("MLArray: constructor_newer: not compressed, saved",),
    ),
    Difference(
        NEWER,
        "images without voxels, axes or an axis of space are errors, or get an axis",
        "they are images",
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
        "a negative length is a `RuntimeError`, a fraction is cut",
        "`ValueError` and `TypeError`, as in NumPy",
        ("MLArray.empty: filled: negative length", "MLArray.empty: filled: lengths no ints"),
    ),
    Difference(
        NEWER,
        "`c_order=False` does nothing to compressed arrays",
        "gives Fortran order",
        ("MLArray.arange: ranges: c_order",),
    ),
    Difference(
        NEWER,
        "`arange` cannot count down, nor end between two values",
        "as `numpy.arange`",
        ("MLArray.arange: ranges: down", "MLArray.arange: ranges: odd end"),
    ),
    Difference(
        NEWER,
        "`.b2nd` files are refused",
        "read and written, as in 0.0.33",
        ("MLArray.open: opening_newer: a .b2nd file",),
    ),
    Difference(
        OLDER,
        "`.b2nd` files of two axes cannot be read",
        "read and written",
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
        "`'r'` with `mmap_mode='c'`: edits do not reach the file",
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
        "it does not",
        ("MLArray.load: loading: voxels",),
    ),
    Difference(
        BOTH,
        "saving over a file in use fails and deletes the file",
        "the file is replaced whole",
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
        "that of this save",
        (
            "MLArray.save: saving_older: sizes, recorded",
            "MLArray.save: saving_older: default, recorded",
        ),
    ),
    Difference(
        BOTH,
        "after `close()`, `shape` and `meta` are `None`, `spacing` is an `AttributeError`",
        "`shape` stays; the rest says that the file is closed",
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
        "assignment takes no lists as keys and does not broadcast",
        "as in NumPy, errors included",
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
        "that of its metadata, as in 0.0.54",
        ("MLArray.shape: facts: metadata only",),
    ),
    Difference(
        NEWER,
        "`image.meta` cannot be assigned",
        "it can, as in 0.0.33; the value is copied",
        ("MLArray.meta: meta_of_an_image: assigned",),
    ),
    Difference(
        OLDER,
        "`comp_blosc2_params` without `channel_axis` gives the layout of 0.0.33",
        "that of 0.0.54; `comp_blosc2_params_baseline` gives the older",
        tuple(f"MLArray.comp_blosc2_params: layouts_older: {kind}" for kind in ("?-D", "flat")),
    ),
    Difference(
        NEWER,
        "`generalized` and `spatial_only` are layouts that it never uses",
        "names of `spatial_only_magnitude`",
        (
            "MLArray.comp_blosc2_params: layouts_newer: generalized: *",
            "MLArray.comp_blosc2_params: layouts_newer: spatial_only: *",
        ),
    ),
    Difference(
        BOTH,
        "the header lacks the array and has the version's names",
        "section `array` with layout, codec and seal; names of 0.0.54",
        ("cli_print_header: header: sections", "cli_print_header: header: spatial"),
    ),
    Difference(
        OLDER,
        "mappings have the section `original` and no later fields",
        "names of 0.0.54; both are taken",
        (
            "Meta: meta: mapping",
            "Meta: meta: plain with none",
            "Meta: meta_older: by position",
        ),
    ),
    Difference(
        OLDER,
        "a section that is assigned a dict or a value becomes that",
        "becomes a section of it, as in 0.0.54",
        ("Meta: meta: section of a dict", "Meta: meta: section of a value"),
    ),
    Difference(
        NEWER,
        "`reset` of `Meta` and `MetaSpatial` fails on managed fields",
        "leaves managed sections alone and unsets the others",
        ("BaseMeta: sections: MetaSpatial: reset", "Meta: meta: reset"),
    ),
    Difference(
        NEWER,
        "assigning a managed count is a `ValueError` where another check is earlier",
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
