"""The Aggregator against the same computation by NumPy with everything in memory."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlarray import MLArray, errors
from mlarray.training import Aggregator


def weights(patch: tuple[int, ...], blend: str) -> np.ndarray[Any, Any]:
    found = np.ones(())
    for length in patch:
        distance = (np.arange(length) - length // 2) / (length / 8)
        along = np.exp(-(distance**2) / 2) if blend == "gaussian" else np.ones(length)
        found = found[..., None] * along
    return found


def blended(
    shape: tuple[int, ...],
    boxes: np.ndarray[Any, Any],
    scores: list[np.ndarray[Any, Any]],
    blend: str,
) -> np.ndarray[Any, Any]:
    """All scores in one array, padded so that boxes may leave the image."""
    pad = boxes[0, 1] - boxes[0, 0]
    padded = [s + 2 * p for s, p in zip(shape, pad, strict=True)]
    total = np.zeros((len(scores[0]), *padded))
    weight = np.zeros(padded)
    one = weights(tuple(pad), blend)
    for box, some in zip(boxes, scores, strict=True):
        place = tuple(slice(a + p, b + p) for a, b, p in zip(*box, pad, strict=True))
        total[(slice(None), *place)] += one * some
        weight[place] += one
    inside = tuple(slice(p, p + s) for s, p in zip(shape, pad, strict=True))
    found: np.ndarray[Any, Any] = total[(slice(None), *inside)] / weight[inside]
    return found


def resampled(scores: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    for axis, length in enumerate(shape, 1):
        size = scores.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * size / length - 0.5, 0, size - 1)
        low = np.floor(at).astype(int)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(scores.ndim)])
        high = np.minimum(low + 1, size - 1)
        scores = scores.take(low, axis) * (1 - part) + scores.take(high, axis) * part
    return scores


def softmax(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found = np.exp(scores - scores.max(0))
    return np.asarray(found / found.sum(0))


@st.composite
def tasks(draw: st.DrawFn) -> dict[str, Any]:
    ndim = draw(st.integers(1, 3))
    most = (40, 16, 9)[ndim - 1]
    length = st.integers(1, most)
    shape = tuple(draw(length) for _ in range(ndim))
    patch = tuple(draw(length) for _ in range(ndim))
    options: dict[str, Any] = {
        "blend": draw(st.sampled_from(["gaussian", "constant"])),
        "output": draw(st.sampled_from(["argmax", "softmax", "logits"])),
        "half_scores": draw(st.booleans()),
        "max_memory": draw(st.sampled_from([None, 1, 5000])),
        "num_threads": draw(st.sampled_from([None, 1, 2])),
    }
    if draw(st.booleans()):
        options["step"] = tuple(draw(st.integers(1, p)) for p in patch)
    else:
        options["overlap"] = draw(st.sampled_from([0, 0.25, 0.5, 0.7]))
    if options["output"] != "argmax":
        options["dtype"] = draw(st.sampled_from(["float32", "float16", None]))
    if draw(st.booleans()):
        original = tuple(draw(st.integers(1, 2 * most)) for _ in range(ndim))
        options["original_shape"] = original
        if draw(st.booleans()):
            start = [draw(st.integers(0, length - 1)) for length in original]
            options["crop"] = [
                (a, draw(st.integers(a + 1, length)))
                for a, length in zip(start, original, strict=True)
            ]
    classes, seed = draw(st.integers(1, 4)), draw(st.integers(0, 2**32))
    return {
        "shape": shape,
        "patch": patch,
        "classes": classes,
        "seed": seed,
        "options": options,
    }


@given(tasks())
@settings(deadline=None, max_examples=150)
def test_equals_the_whole_computation(
    tmp_path_factory: pytest.TempPathFactory, task: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("whole") / "p.mla"
    shape, patch, options = task["shape"], task["patch"], task["options"]
    random = np.random.default_rng(task["seed"])
    scores = []
    with Aggregator(path, shape, patch, task["classes"], **options) as out:
        for box in out.boxes:
            scores.append(random.normal(0, 2, (task["classes"], *patch)).astype(np.float32))
            out.add(box, scores[-1])
            assert out.memory <= out.memory_peak <= out.memory_bound
        boxes = out.boxes
    found = MLArray.open(path)[...]

    original = options.get("original_shape", shape)
    crop = tuple(slice(*pair) for pair in options.get("crop", [(0, n) for n in original]))
    whole = blended(shape, boxes, scores, options["blend"])
    inside = resampled(whole, tuple(s.stop - s.start for s in crop))
    near = 0.02 if options["half_scores"] else 1e-4
    expected = np.zeros((task["classes"], *original))
    if options["output"] == "argmax":
        assert found.shape == original
        assert found.dtype == np.uint8
        outside = found.copy()
        outside[crop] = 0
        assert not outside.any()
        chosen = np.take_along_axis(inside, found[crop][None].astype(int), 0)[0]
        assert (chosen >= inside.max(0) - near).all()
        return
    expected[0] = options["output"] == "softmax"
    expected[(slice(None), *crop)] = (
        softmax(inside) if options["output"] == "softmax" else inside
    )
    assert found.dtype == np.dtype(options["dtype"] or "float32")
    near += 0.01 if options["dtype"] == "float16" else 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=near)


def steps(size: int, patch: int, share: float) -> list[int]:
    """nnU-Net 2.8.1's boxes along an axis."""
    count = math.ceil((size - patch) / (patch * share)) + 1
    even = (size - patch) / (count - 1) if count > 1 else 0
    return [int(np.round(even * i)) for i in range(count)]


@given(st.integers(20, 700), st.integers(2, 20), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
@settings(deadline=None, max_examples=100)
def test_boxes_are_those_of_nnunet(
    tmp_path_factory: pytest.TempPathFactory, size: int, patch: int, share: float
) -> None:
    if patch * share < 1:
        share = 1.0
    path = tmp_path_factory.mktemp("boxes") / "p.mla"
    out = Aggregator(path, (size,), patch, 1, overlap=1 - share)
    assert out.boxes[:, 0, 0].tolist() == steps(size, patch, share)
    assert (out.boxes[:, 1] - out.boxes[:, 0] == patch).all()
    out.discard()


def add_all(out: Aggregator, scores: Callable[[Any], Any] | None = None) -> None:
    for box in out.boxes:
        zeros = np.zeros((out._classes, *(box[1] - box[0])), np.float32)
        out.add(box, zeros if scores is None else scores(box))


def test_has_the_geometry_of_the_image(tmp_path: Path) -> None:
    image = MLArray(
        np.zeros((2, 6, 7, 8), np.float32),
        spacing=(3, 1, 2),
        origin=(5, 6, 7),
        axis_labels=["channel", "spatial", "spatial", "spatial"],
        meta={"PatientID": "x"},
    )
    for source in (image, image.meta):
        with Aggregator(tmp_path / "a.mla", (6, 7, 8), 4, 2, image=source) as out:
            add_all(out)
        labels = MLArray.open(tmp_path / "a.mla")
        assert labels.shape == (6, 7, 8)
        assert labels.spacing == [3, 1, 2]
        assert labels.origin == [5, 6, 7]
        assert labels.meta.is_seg.is_seg is True
        assert labels.meta.source["PatientID"] == "x"
    with Aggregator(
        tmp_path / "b.mla", (6, 7, 8), 4, 2, image=image, output="softmax", dtype="float16"
    ) as out:
        add_all(out)
    scores = MLArray.open(tmp_path / "b.mla")
    assert scores.shape == (2, 6, 7, 8)
    assert scores.dtype == np.float16
    assert scores.spacing == [3, 1, 2]
    assert scores.spatial_ndim == 3
    assert (scores[...] == 0.5).all()


def interrupted(path: Path, error: Exception | None) -> None:
    with Aggregator(path, (9,), 4, 1) as out:
        out.add(out.boxes[0], np.zeros((1, 4)))
        if error is not None:
            raise error


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    MLArray(np.arange(3)).save(tmp_path / "a.mla")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            interrupted(tmp_path / "a.mla", ZeroDivisionError())
        assert os.listdir(tmp_path) == ["a.mla"]
    with pytest.raises(errors.InvalidUseError, match="boxes are missing, the first is"):
        interrupted(tmp_path / "b.mla", None)
    dropped = Aggregator(tmp_path / "a.mla", (9,), 4, 1)
    dropped.discard()
    with pytest.raises(errors.InvalidUseError, match=r"a\.mla.*discarded"):
        dropped.add(dropped.boxes[0], np.zeros((1, 4)))
    Aggregator(tmp_path / "c.mla", (9,), 4, 1)  # and let go of
    assert os.listdir(tmp_path) == ["a.mla"]
    assert MLArray.open(tmp_path / "a.mla")[...].tolist() == [0, 1, 2]


def test_scores_of_any_type_and_layout(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).integers(-50, 50, (3, 6, 5))
    kinds: list[Any] = [
        scores,
        scores.astype(np.float16),
        scores.astype(np.float64),
        np.asfortranarray(scores.astype(np.float32)),
        scores.tolist(),
    ]
    for some in kinds:
        with Aggregator(tmp_path / "a.mla", (6, 5), (6, 5), 3, output="logits") as out:
            out.add(out.boxes[0].tolist(), some)
            assert out.added == 1
        np.testing.assert_array_equal(MLArray.open(tmp_path / "a.mla")[...], scores)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"patch_size": (2, 2)}, errors.InvalidValueError, r"a\.mla.*patch \(2, 2\)"),
        ({"patch_size": "x"}, errors.InvalidTypeError, "patch_size='x'"),
        ({"step": 5}, errors.InvalidValueError, r"step \(5,\) leaves gaps"),
        ({"overlap": 1}, errors.InvalidValueError, "overlap 1"),
        ({"classes": 0}, errors.InvalidValueError, "classes 0"),
        ({"blend": "x"}, errors.InvalidValueError, "'x'.*gaussian"),
        ({"output": "x"}, errors.InvalidValueError, "'x'.*softmax"),
        ({"dtype": "float16"}, errors.InvalidValueError, "float16.*uint8"),
        ({"dtype": "int8", "output": "logits"}, errors.InvalidValueError, "int8"),
        ({"crop": [(0, 2)]}, errors.InvalidValueError, "original_shape"),
        ({"crop": [3], "original_shape": [4]}, errors.InvalidTypeError, "crop=.3."),
        (
            {"crop": [slice(1, 6)], "original_shape": [4]},
            errors.InvalidValueError,
            r"crop \(1,\) to \(6,\).*\(4,\)",
        ),
        ({"image": 3}, errors.InvalidTypeError, "image is a int"),
        ({"shape": 5}, errors.InvalidTypeError, "shape=5"),
        ({"shape": (1.5,)}, errors.InvalidTypeError, "shape="),
        ({"classes": 1.5}, errors.InvalidTypeError, "classes=1.5"),
        ({"overlap": "a"}, errors.InvalidTypeError, "overlap='a'"),
        ({"blend": None}, errors.InvalidTypeError, "blend=None.*'gaussian', 'constant'"),
        ({"half_scores": "x"}, errors.InvalidTypeError, "half_scores='x'"),
        ({"original_shape": 5}, errors.InvalidTypeError, "original_shape=5"),
        ({"original_shape": [2**40]}, errors.InvalidValueError, "original_shape.*at most"),
        ({"shape": (2**40,)}, errors.InvalidValueError, "shape.*at most"),
        (
            {"shape": (2**20,) * 3, "patch_size": 1},
            errors.InvalidValueError,
            "more boxes than",
        ),
        (
            {"shape": (2**24,), "patch_size": 2**16, "step": 1},
            errors.InvalidValueError,
            "more boxes than",
        ),
        ({"path": "a.b2nd"}, errors.InvalidUseError, "saved as .mla"),
        ({"path": "no/a.mla"}, errors.NotFoundError, "no"),
    ],
)
def test_bad_arguments(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    good = {"path": "a.mla", "shape": (9,), "patch_size": 4, "classes": 2}
    with pytest.raises(error, match=text):
        Aggregator(**{**good, **arguments})
    assert os.listdir(tmp_path) == []


def test_bad_scores(tmp_path: Path) -> None:
    out = Aggregator(tmp_path / "a.mla", (9,), 4, 2)
    with pytest.raises(errors.InvalidValueError, match=r"a\.mla.*\(4, 2\).*\(2, 4\)"):
        out.add(out.boxes[0], np.zeros((4, 2)))
    with pytest.raises(errors.InvalidValueError, match=r"a\.mla.*inf, of class 1 at voxel \(2"):
        out.add(out.boxes[0], np.array([[0, 0, 0, 0], [0, 0, math.inf, 0]]))
    with pytest.raises(errors.InvalidValueError, match="is next"):
        out.add(out.boxes[1], np.zeros((2, 4)))
    for box in ("x", [1, 2, 3], None, [[0.4], [4.4]]):
        with pytest.raises(errors.InvalidTypeError, match=r"a\.mla.*is no box"):
            out.add(box, np.zeros((2, 4)))  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidTypeError, match="complex"):
        out.add(out.boxes[0], np.zeros((2, 4), complex))
    with pytest.raises(ValueError, match="read-only"):
        out.boxes[0, 0, 0] = 3
    add_all(out)
    out.finish()
    with pytest.raises(errors.InvalidUseError, match="finished"):
        out.finish()


def test_threads(tmp_path: Path) -> None:
    """One that lets go of it, while another one adds, takes nothing away under it."""
    zeros = np.zeros((40, 32, 32, 32), np.float32)
    for number in range(8):
        out = Aggregator(tmp_path / "a.mla", (64, 64, 64), 32, 40)
        told: list[str] = []

        def add(out: Aggregator = out, told: list[str] = told) -> None:
            try:
                for box in out.boxes:
                    out.add(box, zeros)
            except errors.MLArrayError as error:
                told.append(str(error))

        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.004 * number)
        out.discard()
        for thread in threads:
            thread.join()
        words = ("discarded", "another thread", "is next", "after the last one")
        assert all(any(word in text for word in words) for text in told)
        assert os.listdir(tmp_path) == []


RESIDENT = """
import resource, sys
import numpy as np
from mlarray.training import Aggregator

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

scores = np.zeros((117, 16, 16, 16), np.float16)
scores[:] = np.arange(117)[:, None, None, None]
before = peak()
options = {"max_memory": 5_000_000} if sys.argv[2] == "limit" else {}
with Aggregator(sys.argv[1], (320, 64, 64), 16, 117, half_scores=True, num_threads=2,
                original_shape=(400, 128, 128), **options) as out:
    for box in out.boxes:
        out.add(box, scores)
    print(peak() - before, out.memory_bound)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "most"), [("", 20e6), ("limit", 13e6)])
def test_resident_memory_at_117_classes(tmp_path: Path, limit: str, most: float) -> None:
    """Whole scores would take 307 MB before they are resampled, and 1.5 GB after."""
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT, tmp_path / "a.mla", limit],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    grown, bound = (int(word) for word in done.stdout.split())
    assert bound < most
    assert grown < bound + 40e6, (grown, bound)  # threads, chunks that are compressed
    assert (MLArray.open(tmp_path / "a.mla")[200] == 116).all()
