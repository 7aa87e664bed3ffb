"""Attributes that there are not, and classes that are made of `MLArray`."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray

if TYPE_CHECKING:
    from pathlib import Path


class Scan(MLArray):
    """One with an attribute of its own, and other arguments."""

    def __init__(self, name: str, voxels: Any) -> None:
        super().__init__(voxels)
        self.name = name


class Label(MLArray):
    """One without either."""

    __slots__ = ()


def test_a_misspelled_attribute() -> None:
    image: Any = MLArray(np.zeros((2, 2)))
    with pytest.raises(AttributeError, match="no attribute 'spacng': did you mean 'spacing'"):
        image.spacng = (1, 2)
    with pytest.raises(AttributeError, match=r"'xyz': put what is your own into meta\.extra"):
        image.xyz = 1
    with pytest.raises(AttributeError, match="shape"):
        image.shape = (4,)
    assert not hasattr(image, "__dict__")
    image.spacing = (1, 2)
    assert image.spacing == [1, 2]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_are_of_the_same_class(again: Any, tmp_path: Path) -> None:
    scan = Scan("a", np.arange(6).reshape(2, 3))
    scan.spacing = [2, 3]
    scan.save(tmp_path / "a.mla")
    for image in (scan, Label(np.arange(6).reshape(2, 3), spacing=[2, 3])):
        other = again(image)
        assert type(other) is type(image)
        assert getattr(other, "name", None) == getattr(image, "name", None)
        assert (other.spacing, other[...].tolist()) == ([2, 3], [[0, 1, 2], [3, 4, 5]])
    with Scan.open(tmp_path / "a.mla", num_threads=1, verify=False) as opened:
        opened.name = "b"
        other = again(opened)
        assert (type(other), other.name, other.mode) == (Scan, "b", "r")
        assert other._threads == 1
        other.close()


def test_astype_keeps_the_class(tmp_path: Path) -> None:
    for image in (Scan("a", np.ones((2, 2))), Label(np.ones((2, 2)))):
        assert type(image.astype("i2")) is type(image)
    Label(np.ones((2, 2))).save(tmp_path / "a.mla")
    assert type(Label.load(tmp_path / "a.mla").astype("u1")) is Label
    assert type(Label.zeros((2, 2), "u1")) is Label
    assert type(Label.create(tmp_path / "b.mla", (2, 2), "u1")) is Label
