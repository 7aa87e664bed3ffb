"""Statistics of any voxels under any mask, against exact sums: docs/statistics.md."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from making import (
    REALS,
    Array,
    Place,
    Rng,
    Story,
    a_shape,
    an_image,
    chance,
    literal,
    one_of,
    voxels,
)

from mlarray import MLArray

if TYPE_CHECKING:
    from collections.abc import Callable

UNIT = "statistics"
CLOSE = 1e-12  # of mean and std, relative to the greatest voxel


def check(rng: Rng, place: Place) -> int:
    """One image, and its statistics under some masks."""
    story = Story()
    array = _nasty(rng, np.dtype(one_of(rng, REALS)))
    story.say(f"array = {literal(array, 3000)}")
    held = an_image(rng, array, place, story)
    image, count = held.image, 0
    try:
        for _ in range(4):
            count += _one(rng, image, array, place, story)
        if array.size and chance(rng, 0.3):
            count += _of_another_type(rng, image, array, story)
    finally:
        held.close()
    return count


def _nasty(rng: Rng, dtype: np.dtype[Any]) -> Array:
    """Voxels that sums overflow on, cancel on, or that are all alike."""
    shape = a_shape(rng, most=one_of(rng, [30, 300, 3000]), axes=3)
    native = dtype.newbyteorder("=")
    kind = rng.random()
    if dtype.kind == "b" or kind < 0.25:
        array = voxels(rng, dtype, shape)
        return np.nan_to_num(array).astype(dtype) if chance(rng, 0.7) else array
    if kind < 0.35:
        return np.full(shape, voxels(rng, dtype, ()))
    if kind < 0.5:  # ends of the range, which cancel
        info: Any = np.iinfo(native) if dtype.kind in "iu" else np.finfo(native)
        ends = np.array([info.min, info.max, 0, 1], native)
        return np.asarray(rng.choice(ends, shape)).astype(dtype)
    if kind < 0.6:
        array = np.sort(voxels(rng, dtype, shape, tame=True).ravel())
        return array.reshape(shape).astype(dtype)
    if dtype.kind in "iu":
        few = rng.integers(0, int(rng.integers(1, 90)), shape)
        return np.asarray(few).astype(dtype)
    info = np.finfo(native)
    with np.errstate(all="ignore"):
        power = rng.uniform(info.minexp, info.maxexp - 1, shape if kind < 0.75 else ())
        reals = rng.normal(1, 0.5, shape) * np.exp2(np.asarray(power, np.longdouble))
        array = np.asarray(np.clip(reals, info.min, info.max)).astype(native)
    if chance(rng, 0.2) and array.size:
        array = array.copy()
        array.flat[int(rng.integers(0, array.size))] = one_of(rng, [np.nan, np.inf, -np.inf])
    return array.astype(dtype)


def _a_mask(rng: Rng, array: Array, place: Place, story: Story) -> tuple[Any, Array, Any, str]:
    """A mask as it is given, its voxels, `mask_values`, and how it was made."""
    mask = voxels(rng, np.dtype(one_of(rng, REALS)), array.shape, tame=chance(rng, 0.6))
    if chance(rng, 0.5):
        mask = np.where(rng.random(mask.shape) < 0.6, np.zeros((), mask.dtype), mask)
    mask = np.asarray(mask)
    if chance(rng, 0.1) and mask.ndim:
        mask = np.asfortranarray(mask)
    given: Any = mask
    line = f"mask = {literal(mask, 3000)}"
    if chance(rng, 0.5):
        given = an_image(rng, mask, _Named(place), story).image
        line += "  # held by the image above"
    values: Any = None
    if chance(rng, 0.5):
        pool = [0, 1, -1, 5, 255, 256, -128, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
        pool += [2**63, 2**64 - 1]
        for item in np.asarray(mask).ravel()[:3].tolist():
            if item == item and abs(item) != float("inf"):
                pool.append(int(item))
        values = [one_of(rng, pool) for _ in range(int(rng.integers(1, 4)))]
        if chance(rng, 0.3):
            values = values[0]
        elif chance(rng, 0.2):
            values = tuple(values)
    return given, mask, values, line


class _Named(Place):
    """Files with other names: that of the image is still open."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.folder)

    def file(self, name: str) -> Any:
        return super().file(f"mask-{name}")


def _chosen(array: Array, mask: Array, values: Any) -> Array:
    """The voxels that count."""
    if values is None:
        return np.asarray(array[mask != 0])
    wanted = set(np.atleast_1d(np.array(values, object)).tolist())
    # Python compares ints and floats exactly.
    flags = np.array([item in wanted for item in mask.ravel().tolist()], bool)
    return np.asarray(array[flags.reshape(mask.shape)])


def _one(rng: Rng, image: MLArray, array: Array, place: Place, story: Story) -> int:
    pair = (0.005, 0.995)
    if chance(rng, 0.7):
        pair = tuple(sorted(rng.random(2).tolist()))  # type: ignore[assignment]
        if chance(rng, 0.3):
            pair = one_of(
                rng, [(0.0, 1.0), (0.0, 0.5), (0.5, 0.5001), (0.25, 1.0), (0.0, 1e-9)]
            )
    start = len(story.lines)
    given: Any = None
    values, chosen = None, array
    if chance(rng, 0.5):
        given, mask, values, line = _a_mask(rng, array, place, story)
        story.say(line)
        chosen = _chosen(array, mask, values)
    more = {} if values is None else {"mask_values": values}
    story.say(f"image.compute_statistics({'mask' if given is not None else None}, {pair}, "
              f"store=False, **{more})")  # fmt: skip
    try:
        stats = image.compute_statistics(given, pair, store=False, **more)
    except ValueError as error:
        # Beyond 64 bits with a sign there is an error that says so.
        beyond = values is not None and max(np.atleast_1d(np.array(values, object))) >= 2**63
        if chosen.size and not (beyond and "beyond" in str(error)):
            story.fail("ValueError", f"{chosen.size} voxels count", f"raised {error}")
        del story.lines[start:]
        return 1
    finally:
        if isinstance(given, MLArray):
            given.close()
    if not chosen.size:
        story.fail("no ValueError where no voxel counts")
    _compare(story, stats.to_mapping(), chosen.ravel(), pair)
    del story.lines[start:]
    return 10


def _compare(story: Story, found: dict[str, Any], x: Array, pair: tuple[float, float]) -> None:
    reals = x.astype(np.float64)
    if np.isnan(reals).any():
        for name, value in found.items():
            if not name.endswith("_key") and value == value:
                story.fail("NaN", f"{name} = {value!r}")
        return
    low, high = _without_overflow(lambda x: np.quantile(x, pair), reals).tolist()
    expected = {"min": x.min().item(), "max": x.max().item(), "median": _median(reals)}
    expected |= {"percentile_min": low, "percentile_max": high}
    infinite = bool(np.isinf(reals).any())
    for name, value in expected.items():
        both_nan = value != value and (found[name] != found[name] or infinite)
        if found[name] != value and not both_nan:
            story.fail(name, f"found    {found[name]!r}", f"expected {value!r}")
    if x.dtype.kind in "iu" and type(found["min"]) is not int:
        story.fail("min is no int", f"found {found['min']!r}")
    _moments(story, found, "", x, reals)
    # The library's own bounds: they were compared above.
    low, high = found["percentile_min"], found["percentile_max"]
    inside = (low <= reals) & (reals <= high)
    if inside.any():
        _moments(story, found, "percentile_", x[inside], reals[inside])
        value = _median(reals[inside])
        name = "percentile_median"
        if found[name] != value and not (value != value and infinite):
            story.fail(name, f"found    {found[name]!r}", f"expected {value!r}")
    elif any(found[f"percentile_{n}"] == found[f"percentile_{n}"] for n in ("mean", "std")):
        story.fail("numbers of no voxel", f"found {found}")


def _without_overflow(function: Callable[[Array], Any], reals: Array) -> Any:
    """What NumPy says, which adds up and subtracts voxels, also of the greatest ones."""
    found = np.asarray(function(reals))
    if np.isfinite(reals).all() and not np.isfinite(found).all():
        return np.asarray(function(reals / 4)) * 4
    return found


def _median(reals: Array) -> float:
    return float(_without_overflow(np.median, reals))


def _moments(story: Story, found: dict[str, Any], prefix: str, x: Array, reals: Array) -> None:
    mean, std = found[f"{prefix}mean"], found[f"{prefix}std"]
    if np.isinf(reals).any():
        expected = float(reals.mean())
        if mean != expected and not (mean != mean and expected != expected):
            story.fail(f"{prefix}mean of infinities", f"found {mean}", f"expected {expected}")
        if std == std:
            story.fail(f"{prefix}std of infinities", f"found {std}")
        return
    exact = Fraction(sum(map(Fraction, reals.tolist())), len(reals))
    largest = Fraction(float(np.abs(reals).max()))
    if mean != mean or abs(mean) == float("inf") or (
        abs(Fraction(mean) - exact) > Fraction(CLOSE) * largest
    ):  # fmt: skip
        story.fail(f"{prefix}mean", f"found    {mean!r}", f"expected {float(exact)!r}")
    if x.dtype.kind in "iub" and sum(abs(int(v)) for v in x.tolist()) < 2**53:
        whole = Fraction(sum(int(v) for v in x.tolist()), len(x))
        if mean != float(whole):
            story.fail(f"{prefix}mean is not rounded once", f"found    {mean!r}",
                       f"expected {float(whole)!r}")  # fmt: skip
    wide = reals.astype(np.longdouble)
    middle = wide.sum() / len(wide)
    variance = ((wide - middle) ** 2).sum() / len(wide)
    true = np.sqrt(variance)
    scale = np.longdouble(float(largest))
    if not np.isfinite(std) or abs(np.longdouble(std) - true) > np.longdouble(CLOSE) * scale:
        story.fail(f"{prefix}std", f"found    {std!r}", f"expected {true!r}",
                   f"greatest {float(largest)!r}")  # fmt: skip


def _of_another_type(rng: Rng, image: MLArray, array: Array, story: Story) -> int:
    """What `astype` keeps of the statistics must hold for the new voxels."""
    dtype = np.dtype(one_of(rng, ["u1", "i2", "f4", "f8", "i8", "u8", ">f4"]))
    story.say(f"image.compute_statistics(); other = image.astype({dtype.str!r})")
    writer = image if image._store.access not in ("r",) else MLArray(array)
    writer.compute_statistics()
    other = writer.astype(dtype)
    kept = other.meta.stats
    if kept.mean is None and kept.min is None:
        return 1
    voxels_now = other.to_numpy().ravel()
    pair = (kept.percentile_min_key, kept.percentile_max_key)
    _compare(story, kept.to_mapping(), voxels_now, pair)
    return 10
