"""`copy=` together with parts of the geometry: what is not given comes out of the affine."""

from __future__ import annotations

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import InvalidValueError

VOXELS = np.zeros((3, 4, 5), np.uint8)
FLAT = [[1.0, 0, 0, 5], [0, 0, 0, 6], [0.5, 0, 2, 7], [0, 0, 0, 1]]  # axis 1 has no length


def test_an_axis_of_no_length_stays_one() -> None:
    base = MLArray(VOXELS, affine=FLAT)
    moved = MLArray(VOXELS, copy=base, origin=(10, 20, 30))
    expected = np.array(FLAT)
    expected[:3, 3] = (10, 20, 30)
    np.testing.assert_allclose(moved.affine, expected, rtol=1e-15)
    assert moved.origin == [10, 20, 30]


def test_its_length_cannot_be_given_without_its_direction() -> None:
    base = MLArray(VOXELS, affine=FLAT)
    with pytest.raises(InvalidValueError, match=r"axis 1 .*length 0.*set a direction"):
        MLArray(VOXELS, copy=base, spacing=(1, 2, 3))
    turned = MLArray(VOXELS, copy=base, spacing=(1, 2, 3), direction=np.eye(3))
    np.testing.assert_array_equal(turned.affine, np.diag([1.0, 2, 3, 1]) + shift((5, 6, 7)))
    flat = MLArray(VOXELS, copy=base, direction=np.eye(3))
    np.testing.assert_allclose(flat.scale, (np.hypot(1, 0.5), 0, 2))


def shift(origin: tuple[float, ...]) -> np.ndarray:
    only = np.zeros((4, 4))
    only[:3, 3] = origin
    return only


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e-160, 1.0, 1e160, 1e200, 1.7e308])
def test_lengths_of_any_size(size: float) -> None:
    affine = np.diag([size, size / 2, 1.0, 1.0])
    base = MLArray(VOXELS, affine=affine.tolist())
    assert base.scale == [size, size / 2, 1.0]
    moved = MLArray(VOXELS, copy=base, origin=(10, 20, 30))
    np.testing.assert_array_equal(moved.affine, affine + shift((10, 20, 30)))


def test_a_last_row_is_not_lost() -> None:
    base = MLArray(VOXELS, affine=np.diag([1.0, 1, 1, 2]).tolist())
    with pytest.raises(InvalidValueError, match=r"last row .*\[0\.0, 0\.0, 0\.0, 2\.0\]"):
        MLArray(VOXELS, copy=base, origin=(10, 20, 30))
