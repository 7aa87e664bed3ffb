"""The voxels of every golden file, as formulas.

Used by the scripts that write the files and by the tests that read them, so neither takes
them from our own code. Needs NumPy only.
"""

from __future__ import annotations

import numpy as np


def _ramp(shape: tuple[int, ...]) -> np.ndarray:
    """Return the integers 0, 1, ... in C order, scrambled but compressible."""
    count = int(np.prod(shape, dtype=np.int64))
    index = np.arange(count, dtype=np.int64)
    return ((index // 3) * 7 + (index % 5) * 11).reshape(shape)


def _structured(ramp: np.ndarray, dtype: np.dtype) -> np.ndarray:
    out = np.zeros(ramp.shape, dtype=dtype)
    for position, name in enumerate(dtype.names):
        field = ramp + position
        extra = out[name].ndim - field.ndim
        out[name] = field.reshape(field.shape + (1,) * extra) % 100
    return out


def make(formula: str, shape: tuple[int, ...], dtype: object) -> np.ndarray:
    """Return the array that ``formula`` names.

    ramp
        Scrambled counting numbers, folded into the range of ``dtype``.
    smooth
        A smooth hill, as an image has.
    zeros, nan
        One special value everywhere.
    constant
        7 everywhere.
    islands
        Zeros with a few small boxes of 1, 2 and 3, like a label map.
    mixed
        Thirds along the first axis: zeros, 7 everywhere, ramp.
    edited
        ``ramp``, then ``[1:3]`` of the first axis set to 5.
    doubled
        ``ramp`` with the first half of the first axis times 2.
    """
    dtype = np.dtype(dtype)
    ramp = _ramp(shape)
    if formula == "zeros":
        return np.zeros(shape, dtype=dtype)
    if formula == "nan":
        return np.full(shape, np.nan, dtype=dtype)
    if formula == "constant":
        return np.full(shape, 7, dtype=dtype)
    if formula == "islands":
        out = np.zeros(shape, dtype=dtype)
        for label in (1, 2, 3):
            out[tuple(slice(label * n // 5, label * n // 5 + n // 6 + 1) for n in shape)] = (
                label
            )
        return out
    if formula == "smooth":
        hill = np.zeros(shape)
        for axis, length in enumerate(shape):
            profile = np.sin(np.linspace(0, 3, length)) * (axis + 1)
            hill += profile.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        scaled = np.round(hill * 64) / 4
        return scaled.astype(dtype)
    if formula == "mixed":
        out = make("ramp", shape, dtype)
        third = shape[0] // 3
        out[:third] = np.zeros((), dtype=dtype)
        out[third : 2 * third] = 7
        return out
    if formula == "edited":
        out = make("ramp", shape, dtype)
        out[1:3] = 5
        return out
    if formula == "doubled":
        out = make("ramp", shape, dtype)
        out[: shape[0] // 2] *= 2
        return out
    if formula != "ramp":
        raise ValueError(f"no such formula: {formula!r}")
    if dtype.names:
        return _structured(ramp, dtype)
    if dtype.kind == "b":
        return (ramp % 3 == 0).astype(dtype)
    if dtype.kind in "iu":
        return (ramp % min(np.iinfo(dtype).max // 2 + 1, 2**40)).astype(dtype)
    if dtype.kind == "c":
        return (ramp % 1000 - 1j * (ramp % 77)).astype(dtype)
    if dtype.kind in "SU":
        width = dtype.itemsize // (4 if dtype.kind == "U" else 1)
        return np.array([str(v)[:width] for v in ramp.ravel()], dtype=dtype).reshape(shape)
    if dtype.kind in "mM":
        return ramp.astype(np.int64).view(dtype) if dtype.isnative else ramp.astype(dtype)
    if dtype.kind == "V":
        return (
            np.ascontiguousarray(ramp)
            .view(np.uint8)
            .reshape(*shape, 8)
            .repeat(-(-dtype.itemsize // 8), axis=-1)[..., : dtype.itemsize]
            .copy()
            .view(dtype)[..., 0]
        )
    return (ramp % 2000 * 0.25).astype(dtype)
