"""Every file of every released writer opens, with the voxels and the metadata it was given.

What is expected comes from formulas and from the writers themselves, never from us:
tests/data/golden/README.md.
"""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mlarray import MLArray

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden"
WRITERS = (
    *("0.0.23", "0.0.27"),
    *("0.0.28", "0.0.33", "0.0.40", "0.0.45", "0.0.48", "0.0.49", "0.0.50", "0.0.54"),
    *("blosc2-2.7.1", "blosc2-3.3.4", "blosc2-4.14.1"),
)
# Names of sections and fields that changed.
NEW_NAMES = {"original": "source", "_blosc2": "blosc2"}


class Case(NamedTuple):
    """One golden file and what it must give back."""

    path: Path
    expected: dict[str, Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(_fields(self.expected["dtype"]))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.expected["shape"])

    def voxels(self) -> np.ndarray[Any, Any]:
        formula = self.expected["formula"]
        if formula is not None:
            return np.asarray(VOXELS.make(formula, self.shape, self.dtype))
        beside = self.path.with_suffix(".npy")
        return np.load(beside) if beside.exists() else np.zeros(self.shape, self.dtype)


def _load_formulas() -> Any:
    spec = importlib.util.spec_from_file_location("golden_voxels", GOLDEN / "voxels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fields(described: Any) -> Any:
    """Turn the lists of JSON back into the tuples of a dtype's fields."""
    if isinstance(described, str):
        return described
    out = []
    for name, kind, *shape in described:
        out.append((name, _fields(kind), *(tuple(part) for part in shape)))
    return out


def _cases() -> list[Any]:
    out = []
    for writer in WRITERS:
        document = json.loads((GOLDEN / writer / "expected.json").read_text())
        for name, expected in sorted(document["files"].items()):
            case = Case(GOLDEN / writer / name, expected)
            out.append(pytest.param(case, id=f"{writer}-{name}"))
    return out


VOXELS = _load_formulas()
CASES = _cases()
MLA_CASES = [case for case in CASES if case.values[0].path.suffix == ".mla"]
METADATA_ONLY = [case for case in CASES if case.values[0].path.stem == "metadata-only"]
VOXEL_CASES = [case for case in CASES if case not in METADATA_ONLY]


def assert_same(got: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> None:
    """Same dtype, same shape and the same bytes, so that NaN and padding count too."""
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    assert got.tobytes() == wanted.tobytes()


def test_every_file_is_expected_and_every_expectation_has_a_file() -> None:
    found = {path for path in GOLDEN.glob("*/*") if path.suffix in (".mla", ".b2nd")}
    assert found == {case.values[0].path for case in CASES}
    assert {path.parent.name for path in found} == set(WRITERS)


@pytest.mark.parametrize("case", METADATA_ONLY)
def test_metadata_only(case: Case, tmp_path: Path) -> None:
    path = Path(shutil.copy(case.path, tmp_path))
    original = MLArray(case.path)
    with MLArray.open(path, mmap_mode="r+") as image:
        assert (image.shape, image.dtype) == (None, None)
        with pytest.raises(TypeError, match=r"metadata-only\.mla.*no array"):
            image[...]
        assert np.array_equal(image.affine, original.affine)
        image.meta.extra["edited"] = True
    for again in (MLArray(path), MLArray.load(path, compressed=False)):
        assert again.shape is None
        assert again.meta.extra.data.pop("edited")
        got, wanted = again.meta.to_mapping(), original.meta.to_mapping()
        del got["blosc2"], wanted["blosc2"]  # of the writer, which is another one now
        assert described(got) == described(wanted)
    again.save(path)
    for section in ("source", "spatial", "bbox"):
        before, after = getattr(original.meta, section), getattr(MLArray(path).meta, section)
        assert described(after.to_mapping()) == described(before.to_mapping()), section


@pytest.mark.parametrize("case", VOXEL_CASES)
def test_voxels(case: Case) -> None:
    wanted = case.voxels()
    loaded = MLArray(case.path)
    assert_same(loaded.to_numpy(), wanted)
    with MLArray.open(case.path) as mapped, MLArray.open(case.path, mmap_mode=None) as read:
        assert_same(np.asarray(mapped[...]), wanted)
        assert_same(np.asarray(read[...]), wanted)
        for image in (mapped, read):
            assert image.shape == case.shape
            assert image.dtype == case.dtype
            assert image.chunks == tuple(case.expected["chunks"])
            assert image.blocks == tuple(case.expected["blocks"])
        inner = tuple(slice(length // 4, length - length // 3) for length in case.shape)
        assert_same(np.asarray(mapped[inner]), wanted[inner])


@pytest.mark.parametrize("case", MLA_CASES)
def test_metadata(case: Case) -> None:
    with MLArray.open(case.path) as image:
        got = image.meta.to_mapping()
        channel_axis = image.meta.spatial.channel_axis
    expected = {NEW_NAMES.get(k, k): v for k, v in case.expected["metadata"].items()}
    spatial = expected["spatial"]
    if "channel_axis" in spatial:  # up to 0.0.33, where now there are labels
        assert channel_axis == spatial.pop("channel_axis")
        del got["spatial"]["axis_labels"]
    if isinstance(expected["_mlarray_version"], str):  # a section of one value, written bare
        expected["_mlarray_version"] = {"mlarray_version": expected["_mlarray_version"]}
    assert set(got) == set(expected)
    for name, section in got.items():
        known = {key: value for key, value in section.items() if value is not None}
        assert described(known) == described(expected[name]), name


def described(value: Any) -> Any:
    """Return ``value`` in the terms of expected.json, and so that NaN equals NaN."""
    if isinstance(value, dict):
        if set(value) == {"__items__"}:
            return {repr(key): described(item) for key, item in value["__items__"]}
        return {repr(key): described(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value


@pytest.mark.parametrize("case", VOXEL_CASES)
def test_edits_reach_the_file_and_leave_the_rest_alone(case: Case, tmp_path: Path) -> None:
    path = Path(shutil.copy(case.path, tmp_path))
    wanted = case.voxels().copy()
    with MLArray.open(case.path) as image:
        before = image.meta.to_mapping() if path.suffix == ".mla" else None
    first = (slice(0, 1),) * len(case.shape)
    last = (slice(-1, None),) * len(case.shape)
    wanted[first] = wanted[last]
    with MLArray.open(path, mmap_mode="r+") as image:
        image[first] = wanted[last]
    reread = MLArray(path)
    assert_same(reread.to_numpy(), wanted)
    if before is not None:
        assert described(reread.meta.to_mapping()) == described(before)


@pytest.mark.parametrize("case", VOXEL_CASES)
def test_saved_again_it_is_the_same_image(case: Case, tmp_path: Path) -> None:
    path = tmp_path / case.path.name
    original = MLArray(case.path)
    original.save(path)
    again = MLArray(path)
    assert_same(again.to_numpy(), case.voxels())
    if path.suffix == ".mla":
        for name in ("source", "extra", "stats", "bbox", "is_seg"):
            before, after = getattr(original.meta, name), getattr(again.meta, name)
            assert described(after.to_mapping()) == described(before.to_mapping()), name
        assert again.spacing == original.spacing
        assert again.meta.spatial.axis_labels == original.meta.spatial.axis_labels
        assert np.array_equal(again.affine, original.affine)
