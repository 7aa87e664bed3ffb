"""What other versions call otherwise, for the documentation: `names` does what it says."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ALIASES", "Alias"]


class Alias(NamedTuple):
    """One row of the table in docs/compatibility.md."""

    where: str
    older: str
    newer: str
    note: str


ALIASES: Final = (
    Alias("MLArray.open", "mmap=", "mmap_mode=", "'r', 'r+', 'c', 'w+'; None: no memory map"),
    Alias(
        "MLArray.open", "open(shape=, dtype=)", "create(shape, dtype)", "creates or replaces"
    ),
    Alias("MLArray", ".mmap", ".mmap_mode", "None for an array in memory"),
    Alias("MLArray", "._spatial_ndim", ".spatial_ndim", "number of axes of space"),
    Alias(
        "MLArray, open, create",
        "channel_axis=",
        "axis_labels=",
        "'channel' for that axis, 'spatial' for the others",
    ),
    Alias(
        "MLArray, open, load, save",
        "num_threads=",
        "dparams={'nthreads': n}",
        "None: what mlarray.num_threads() says",
    ),
    Alias("MLArray.save", "save(patch_size=...)", "MLArray(patch_size=...)", "the later wins"),
    Alias("Meta", "meta.original", "meta.source", "metadata of the source image"),
    Alias("Meta", "meta._blosc2", "meta.blosc2", "layout of the file"),
    Alias("meta.spatial", "channel_axis", "axis_labels", "number or role of an axis"),
)
