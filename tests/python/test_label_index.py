"""A label index against NumPy, as a file keeps it, and on the command line."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlarray import MLArray
from mlarray.cli.main import main
from mlarray.convert import convert
from mlarray.errors import (
    CorruptionError,
    InvalidTypeError,
    InvalidValueError,
    NotFoundError,
    OutOfBoundsError,
    UnsupportedError,
)
from mlarray.training import LabelClass, LabelIndex

TYPES = ("u1", "i1", "<u2", ">i2", "<i4", "<u4", "<i8", "<u8", "?")


@st.composite
def label_maps(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    shape = tuple(draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)))
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    seed = draw(st.integers(0, 2**32))
    random = np.random.default_rng(seed)
    top = 2 if dtype.kind == "b" else draw(st.integers(2, 100))
    low = -3 if dtype.kind == "i" else 0
    labels = random.integers(low, top, shape)
    labels[random.random(shape) < draw(st.sampled_from((0.0, 0.5, 0.95)))] = 0
    return labels.astype(dtype)


@settings(max_examples=60, deadline=None)
@given(label_maps(), st.integers(0, 20), st.sampled_from((0, None, 1)))
def test_equals_numpy(
    labels: np.ndarray[Any, Any], positions: int, background: int | None
) -> None:
    index = LabelIndex.build(labels, positions=positions, background=background)
    values, counts = np.unique(labels, return_counts=True)
    assert [one.labels for one in index.classes] == [(int(value),) for value in values]
    assert [one.voxels for one in index.classes] == counts.tolist()
    assert index.foreground == int(
        (labels != background).sum() if background is not None else labels.size
    )
    for one in index.classes:
        (label,) = one.labels
        wanted = 0 if label == background else min(positions, one.voxels)
        voxels = index.voxels(label)
        assert voxels.shape == (wanted, labels.ndim)
        assert one.positions == wanted
        assert len(np.unique(voxels, axis=0)) == wanted
        assert (labels[tuple(voxels.T)] == label).all()
    assert LabelIndex.from_bytes(index.to_bytes()) == index
    assert pickle.loads(pickle.dumps(index)) == index


@settings(max_examples=15, deadline=None)
@given(label_maps(), st.integers(1, 6), st.integers(1, 3))
def test_depends_on_the_map_alone(
    tmp_path_factory: pytest.TempPathFactory,
    labels: np.ndarray[Any, Any],
    chunk: int,
    threads: int,
) -> None:
    path = tmp_path_factory.mktemp("index") / "seg.mla"
    chunks = tuple(min(chunk, n) for n in labels.shape)
    MLArray(labels).save(path, chunk_size=chunks, block_size=chunks)
    index = LabelIndex.build(path, positions=7, joined=[(1, 2)], num_threads=threads)
    assert index == LabelIndex.build(labels, positions=7, joined=[(2, 1)])


def test_choice_and_draws_are_uniform() -> None:
    labels = np.ones((32, 64, 64), np.uint8)
    index = LabelIndex.build(labels, positions=6400)
    voxels = index.voxels(1)
    for axis in range(3):
        found = np.bincount(voxels[:, axis] // (labels.shape[axis] // 16), minlength=16)
        assert ((found - 400) ** 2 / 400).sum() < 45, axis  # 15 degrees of freedom: p 1e-4
    numbers = np.ravel_multi_index(tuple(voxels.T), labels.shape)
    drawn = [index.draw(1, 3, 0, i) for i in range(16_000)]
    places = np.searchsorted(
        numbers, np.ravel_multi_index(tuple(np.array(drawn).T), labels.shape)
    )
    found = np.bincount(places // 400, minlength=16)
    assert ((found - 1000) ** 2 / 1000).sum() < 45
    assert index.draw(1, 3, 0, 5) == drawn[5]


@pytest.fixture
def label(tmp_path: Path) -> Path:
    labels = np.zeros((16, 20, 24), np.uint8)
    labels[2:5, 3:9, 4:12] = 1
    labels[7, 7, 7] = 2
    path = tmp_path / "seg.mla"
    MLArray(labels).save(path)
    return path


def test_is_stored_and_ends_with_an_edit(label: Path) -> None:
    assert LabelIndex.of(label) is None
    assert LabelIndex.store(label)
    assert not LabelIndex.store(label)
    assert LabelIndex.of(label) == LabelIndex.build(label)
    with MLArray.open(label, "r+") as image:
        image.meta.extra = {"a": 1}
    assert LabelIndex.of(label) is not None
    with MLArray.open(label, "r+") as image:
        image[0, 0, 0] = 2
        assert LabelIndex.of(image) is None
    assert LabelIndex.of(label) is None
    assert LabelIndex.store(label, level="durable")
    stored = LabelIndex.of(label)
    assert stored is not None
    assert stored.classes[2] == LabelClass((2,), 2, 2)


def test_save_keeps_and_makes_it(label: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mla"
    with MLArray.open(label) as image:
        image.save(other, label_index=True)
        image.save(label)
    assert LabelIndex.of(other) == LabelIndex.build(label)
    assert LabelIndex.of(label) is None
    with MLArray.open(label, "r+") as image:
        image.save(label, label_index=True)
        image[0, 0, 0] = 1  # it is the writer still
    assert LabelIndex.of(label) is None
    with MLArray.open(label, "r+") as image:
        image.save(label, label_index=True)
    with MLArray.open(label) as image:
        image.save(other)
    assert LabelIndex.of(other) == LabelIndex.build(label)
    MLArray(np.zeros((3, 3), np.int16)).save(other, label_index=True)
    stored = LabelIndex.of(other)
    assert stored is not None
    assert stored.shape == (3, 3)
    with pytest.raises(InvalidTypeError, match=r"float32.*label_index"):
        MLArray(np.zeros((3, 3), np.float32)).save(tmp_path / "no.mla", label_index=True)
    assert not (tmp_path / "no.mla").exists()


def test_convert_makes_it(tmp_path: Path) -> None:
    header = b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 3 2\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(header + bytes([0, 1, 1, 0, 5, 0]))
    convert(tmp_path / "a.nrrd", tmp_path / "a.mla", label_index=True)
    index = LabelIndex.of(tmp_path / "a.mla")
    assert index is not None
    assert [one.labels for one in index.classes] == [(0,), (1,), (5,)]
    for jobs in ("1", "2"):
        out = tmp_path / jobs
        out.mkdir()
        arguments = ["-q", "--label-index", "-j", jobs, str(tmp_path / "a.nrrd"), str(out)]
        assert main(["convert", *arguments]) == 0
        assert LabelIndex.of(out / "a.mla") == index
    assert main(["convert", str(tmp_path / "a.nrrd"), str(tmp_path / "b.mla")]) == 0
    assert LabelIndex.of(tmp_path / "b.mla") is None


def test_lists_and_errors(label: Path, tmp_path: Path) -> None:
    index = LabelIndex.from_lists((4, 5), {2: [[1, 2], [0, 0]], (1, 2): [[3, 3]], 7: []})
    assert index.classes == [LabelClass((2,), 2, 2), LabelClass((1, 2), 1, 1)]
    assert index.voxels((2, 1)).tolist() == [[3, 3]]
    assert index.draw((1, 2), 0) == (3, 3)
    assert "2 classes" in repr(index)
    with pytest.raises(KeyError):
        index.voxels(7)
    with pytest.raises(InvalidValueError, match="3 axes"):
        LabelIndex.from_lists((4, 5), {2: [[1, 2, 3]]})
    with pytest.raises(InvalidTypeError, match="label 2"):
        LabelIndex.from_lists((4, 5), {2: [[1.5, 2]]})
    with pytest.raises(InvalidTypeError, match="<f4"):
        LabelIndex.build(np.zeros((2, 2), np.float32))
    with pytest.raises(InvalidTypeError, match="joined"):
        LabelIndex.build(label, joined=[1, 2])  # type: ignore[list-item]
    with pytest.raises(UnsupportedError, match="65536"):
        LabelIndex.build(np.arange(70_000))
    with pytest.raises(CorruptionError):
        LabelIndex.from_bytes(b"mlalabel\x01")
    first = LabelIndex.build(label)
    with pytest.raises(InvalidValueError, match="label 0"):
        first.draw(0, 1)
    cache = tmp_path / "cache"
    assert LabelIndex.cached(label, cache) == first
    assert len(list(cache.iterdir())) == 1
    assert LabelIndex.cached(label, cache) == first


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_nnunet_as_data(tmp_path: Path, protocol: int, order: Any) -> None:
    random = np.random.default_rng(protocol)
    shape = (1, 20, 30, 40)
    voxels = np.unique(np.stack([random.integers(0, n, 500) for n in shape], 1), axis=0)
    lists: dict[Any, Any] = {
        np.int64(1): np.asarray(voxels, order=order),
        2: np.asarray(voxels[:7].astype(">i4"), order=order),
        3: [],
        (2, 1): voxels[3:9].astype(np.uint16),
        (-1, 0, 1, 2): voxels[:0],
    }
    path = tmp_path / "case.pkl"
    content = {"spacing": np.float64(2), "shape": shape, "class_locations": lists}
    path.write_bytes(pickle.dumps(content, protocol))
    cache = tmp_path / "cache"
    index = LabelIndex.from_nnunet(path, shape, cache)
    assert [one.labels for one in index.classes] == [(1,), (2,), (1, 2)]
    assert index.classes[0].voxels == len(voxels)
    assert (index.voxels(1) == voxels).all()
    assert (index.voxels(2) == voxels[:7]).all()
    assert (index.voxels((1, 2)) == voxels[3:9]).all()
    without = LabelIndex.from_nnunet(path, shape[1:])
    assert (without.voxels(1) == voxels[:, 1:]).all()
    # Kept, and not believed for another file or shape.
    (kept,) = cache.iterdir()
    time = kept.stat().st_mtime_ns
    assert LabelIndex.from_nnunet(path, shape, cache) == index
    assert kept.stat().st_mtime_ns == time
    path.write_bytes(pickle.dumps({"class_locations": {4: voxels[:2]}}, protocol))
    assert LabelIndex.from_nnunet(path, shape, cache).classes == [LabelClass((4,), 2, 2)]
    with pytest.raises(OutOfBoundsError, match=r"case\.pkl.*label 4.*outside"):
        LabelIndex.from_nnunet(path, (1, 2, 3, 4), cache)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


def test_other_pickles_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "case.pkl"
    whole = pickle.dumps({"class_locations": {1: np.zeros((5, 3), np.int64)}})
    for content, error in (
        (b"", CorruptionError),
        (whole[:-20], CorruptionError),
        (pickle.dumps([1]), InvalidValueError),
        (pickle.dumps({"a": 1}), InvalidValueError),
        (pickle.dumps({"class_locations": 1}), InvalidValueError),
        (pickle.dumps({"class_locations": {"a": []}}), InvalidValueError),
        (pickle.dumps({"class_locations": {1: Evil()}}), InvalidValueError),
        (pickle.dumps({"class_locations": {1: np.zeros((5, 2), int)}}), InvalidValueError),
        (pickle.dumps({"class_locations": {1: np.zeros((5, 3))}}), InvalidValueError),
        (whole.replace(b"K\x05K\x03", b"K\x06K\x03"), InvalidValueError),
    ):
        path.write_bytes(content)
        with pytest.raises(error, match=r"case\.pkl"):
            LabelIndex.from_nnunet(path, (4, 4, 4))
    with pytest.raises(NotFoundError, match="none"):
        LabelIndex.from_nnunet(tmp_path / "none.pkl", (4, 4, 4))


def test_command(label: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MLArray(np.zeros((4, 4), np.float32)).save(tmp_path / "image.mla")
    assert main(["index", "-j", "2", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == "1 indexed, 1 failed\n"
    assert "image.mla" in err
    assert "<f4" in err
    assert main(["index", "-q", str(label)]) == 0
    assert capsys.readouterr().out == "1 up to date\n"
    arguments = ["--joined", "1,2", "--background", "none", "--positions", "5", "--json"]
    assert main(["index", *arguments, str(label)]) == 0
    assert json.loads(capsys.readouterr().out) == [{"path": str(label), "written": True}]
    index = LabelIndex.of(label)
    assert index is not None
    assert index.background is None
    assert [one.labels for one in index.classes] == [(0,), (1,), (2,), (1, 2)]
    assert max(one.positions for one in index.classes) == 5
