"""Reads: any key, any type, any kind of image, compared with NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from making import (
    Place,
    Rng,
    Story,
    a_dtype,
    a_shape,
    an_image,
    chance,
    difference,
    literal,
    outcome,
    shown,
    voxels,
)
from making_keys import a_key, an_outer_key, read_outer

if TYPE_CHECKING:
    from making import Array

    from mlarray import MLArray

UNIT = "reads"
KEYS = 40  # for one image


def check(rng: Rng, place: Place) -> int:
    """One image, and many keys."""
    array = voxels(rng, a_dtype(rng), a_shape(rng))
    story = Story()
    story.say(f"array = {literal(array)}")
    held = an_image(rng, array, place, story)
    image = held.image
    try:
        if (image.shape, image.dtype) != (array.shape, array.dtype):
            story.fail("shape or dtype", f"found {image.shape}, {image.dtype}")
        for _ in range(KEYS):
            _read(rng, array, image, story)
    finally:
        held.close()
    return KEYS


def _read(rng: Rng, array: Array, image: MLArray, story: Story) -> None:
    outer = chance(rng, 0.2)
    key: Any = an_outer_key(rng, array.shape) if outer else a_key(rng, array.shape, array.dtype)
    if outer:
        expected = outcome(lambda: read_outer(array, key))
        found = outcome(lambda: image.oindex[key])
        if np.shape(found) == () and isinstance(found, np.ndarray):
            found = found[()]
    else:
        expected = outcome(lambda: array[key])
        found = outcome(lambda: image[key])
    what = difference(found, expected)
    if outer and what == "no IndexError" and np.size(found) == 0:
        what = None  # nor does NumPy look at an index where another axis has none
    if what is None and isinstance(found, np.ndarray):
        what = _not_its_own(found, image)
    if what is not None:
        words = "image.oindex" if outer else "image"
        story.fail(
            f"{words}[]: {what}",
            f"{words}[{literal(key)}]",
            f"found    {shown(found)}",
            f"expected {shown(expected)}",
        )


def _not_its_own(found: Array, image: MLArray) -> str | None:
    """An answer is memory of its own: writing into it changes no image."""
    if not found.flags.writeable:
        return "read-only"
    if image._store.core is None and np.shares_memory(found, image._store.to_numpy()):
        return "shares memory"
    return None
