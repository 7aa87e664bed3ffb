"""Reading for loaders: into an array that is there, beyond the border, many boxes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VOXELS = np.arange(7 * 9 * 11, dtype="i2").reshape(7, 9, 11)


@pytest.fixture(params=["plain", "loaded", "open", "unmapped"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MLArray]:
    path = tmp_path / "a.mla"
    MLArray(VOXELS).save(path, chunk_size=(4, 4, 8), block_size=(2, 2, 4))
    if request.param == "plain":
        yield MLArray(VOXELS)
    elif request.param == "loaded":
        yield MLArray.load(path)
    else:
        with MLArray.open(path, mmap_mode="r" if request.param == "open" else None) as opened:
            yield opened


KEYS: list[Any] = [
    (slice(1, 3), slice(0, 9), slice(2, 5)),
    (slice(None), 3, slice(2, 5)),
    (2, 3, 4),
    (2, 3, 4, ...),
    ...,
    slice(5, 2),
    (None, 1),
    (slice(None, None, -2), [1, 8]),
    VOXELS % 5 == 0,
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_read_into(image: MLArray, key: Any) -> None:
    expected = np.asarray(VOXELS[key])
    out = np.full((*expected.shape, 2), -1, "i2")[..., 0]  # not contiguous
    image.read_into(key, out)
    np.testing.assert_array_equal(out, expected)


def test_read_into_refuses_other_arrays(image: MLArray) -> None:
    frozen = np.zeros((9, 11), "i2")
    frozen.flags.writeable = False
    for wrong, text in [
        (np.zeros((9, 11), "i4"), "dtype int32, but the voxels are int16"),
        (np.zeros((9, 11), ">i2"), "dtype >i2"),
        (np.zeros((11, 9), "i2"), r"shape \(11, 9\), but \(9, 11\) is read"),
        (frozen, "read-only"),
        ([[0]], "out is a list"),
    ]:
        with pytest.raises((TypeError, ValueError), match=text):
            image.read_into(0, wrong)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="out of bounds"):
        image.read_into(7, np.zeros((9, 11), "i2"))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ((0, 0, 0), (7, 9, 11)),
        ((-3, 2, 9), (4, 5, 14)),
        ((-20, -1, -1), (30, 40, 12)),
        ((9, 0, 0), (12, 2, 3)),
        ((-5, -5, -5), (-2, -3, -1)),
        ((2, 2, 2), (2, 4, 4)),
    ],
)
def test_read_padded(image: MLArray, mode: Any, start: Any, stop: Any) -> None:
    around: Any = {"constant_values": -7} if mode == "constant" else {}
    whole = np.pad(VOXELS, 50, mode=mode, **around)
    key = tuple(slice(a + 50, b + 50) for a, b in zip(start, stop))
    value = -7 if mode == "constant" else None
    found = image.read_padded(start, np.array(stop), mode, value)
    np.testing.assert_array_equal(found, whole[key])
    assert found.flags.writeable
    assert not np.shares_memory(found, VOXELS)


def test_read_padded_refuses(image: MLArray) -> None:
    for arguments, text in [
        (((0, 0), (1, 1, 1)), "2 entries, but the image has 3 axes"),
        (((0, 0, 2), (1, 1, 1)), "before start"),
        (((0, 0, 0.5), (1, 1, 1)), "not a sequence of ints"),
        (((0, 0, 0), (1, 1, 2**63)), "beyond 64 bits"),
        (((0, 0, 0), (1, 1, 1), "wrap"), "'wrap' is not one of 'constant'"),
        (((0, 0, 0), (1, 1, 1), "edge", 5), "value=5 is for mode='constant'"),
    ]:
        wrong: Any = arguments
        with pytest.raises((TypeError, ValueError, RuntimeError), match=text):
            image.read_padded(*wrong)
    with pytest.raises(OverflowError):  # as NumPy
        image.read_padded((0, 0, 0), (1, 1, 1), value=10**30)


def test_read_many(image: MLArray) -> None:
    boxes = [((0, 0, 0), (2, 3, 4)), ((5, 6, 7), (7, 9, 11)), ([1, 2, 3], [3, 5, 7])]
    expected = [VOXELS[tuple(map(slice, *box))] for box in boxes]
    np.testing.assert_array_equal(image.read_many(boxes), expected)
    out = np.zeros((3, 4, 3, 2), "i2").transpose(0, 3, 2, 1)
    assert image.read_many(boxes, out) is out
    np.testing.assert_array_equal(out, expected)
    assert image.read_many([]).shape == (0, 0, 0, 0)
    with pytest.raises(TypeError, match="boxes=5 is a int"):
        image.read_many(5)  # type: ignore[arg-type]
    for wrong, kind, text in [
        (
            [((0, 0, 0), (2, 3, 4)), ((0, 0, 0), (1, 1, 1))],
            ValueError,
            r"boxes\[1\] has the shape",
        ),
        ([((6, 0, 0), (8, 3, 4))], IndexError, "leaves the array of shape"),
        ([((-1, 0, 0), (1, 3, 4))], IndexError, "leaves the array of shape"),
        ([5], TypeError, "no pair of start and stop"),
    ]:
        with pytest.raises(kind, match=text):
            image.read_many(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="out has the shape"):
        image.read_many(boxes, out[:2])


def test_other_types_and_no_axes(tmp_path: Path) -> None:
    when = np.array(["2020-01-01", "2021-02-03"], "M8[D]")
    MLArray(when).save(tmp_path / "a.mla")
    for image in (MLArray(when), MLArray.open(tmp_path / "a.mla")):
        found = image.read_padded([-1], [2], value=np.datetime64("1999-09-09"))
        assert found.tolist() == [np.datetime64("1999-09-09").item(), *when.tolist()]
        assert image.read_padded([-1], [2], "edge").tolist() == [when[0].item(), *when.tolist()]
        out = np.empty(2, when.dtype)
        image.read_into(slice(None), out)
        assert out.tolist() == when.tolist()
    MLArray(np.array(5)).save(tmp_path / "b.mla")
    for image in (MLArray(np.array(5)), MLArray.open(tmp_path / "b.mla")):
        assert image.read_padded([], []) == 5
        assert image.read_padded([], [], "reflect").shape == ()
        assert image.read_many([([], []), ([], [])]).tolist() == [5, 5]
        zero = np.zeros((), int)
        image.read_into((), zero)
        assert zero == 5


def test_without_voxels(image: MLArray) -> None:
    only = MLArray(meta=Meta(is_seg=True))
    for call in (
        lambda: only.read_into(..., np.zeros(1)),
        lambda: only.read_padded([0], [1]),
        lambda: only.read_many([]),
    ):
        with pytest.raises(TypeError, match="no array"):
            call()
    image.close()
    for call in (
        lambda: image.read_into(..., np.zeros(1)),
        lambda: image.read_padded([0, 0, 0], [1, 1, 1]),
        lambda: image.read_many([((0, 0, 0), (1, 1, 1))]),
    ):
        with pytest.raises(ClosedError):
            call()


def test_damage_is_found(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 1 << 16, (8, 8, 8), "u2")
    path = tmp_path / "a.mla"
    MLArray(noise).save(path)
    raw = bytearray(path.read_bytes())
    at = raw.find(noise.tobytes()[:4]) if noise.tobytes()[:4] in raw else 500
    raw[at] ^= 255
    path.write_bytes(raw)
    with MLArray.open(path) as image:
        for call in (
            lambda: image.read_into(..., np.empty((8, 8, 8), "u2")),
            lambda: image.read_padded((-1, 0, 0), (8, 8, 8)),
            lambda: image.read_many([((0, 0, 0), (8, 8, 8))]),
        ):
            with pytest.raises(RuntimeError, match="checksum"):
                call()


def test_large_results_begin_with_a_line_of_the_cache(tmp_path: Path) -> None:
    voxels = np.arange(2 * 300 * 512, dtype=np.int16).reshape(2, 300, 512)
    MLArray(voxels).save(tmp_path / "x.mla")
    image = MLArray.open(tmp_path / "x.mla")
    results = [
        (image[...], voxels),
        (image[:, 10:290], voxels[:, 10:290]),
        (image[::1, :, ::-1][..., ::-1], voxels),
        (image.read_padded((0, 0, 0), (2, 300, 520))[..., :512], voxels),
        (image.read_many([((0, 0, 0), (2, 300, 512))])[0], voxels),
    ]
    for result, expected in results:
        np.testing.assert_array_equal(result, expected)
        assert result.__array_interface__["data"][0] % 64 == 0
        assert result.flags.writeable


def test_what_is_too_large_is_named_as_it_was_asked_for(tmp_path: Path) -> None:
    MLArray(VOXELS).save(tmp_path / "x.mla")
    image = MLArray.open(tmp_path / "x.mla")
    with pytest.raises((MemoryError, ValueError), match=r"\(1000000, 1000000, 1000\).*int16"):
        image.read_padded((0, 0, 0), (10**6, 10**6, 10**3))


def test_the_layout_of_a_closed_image_is_known(tmp_path: Path) -> None:
    MLArray(VOXELS).save(tmp_path / "x.mla", chunk_size=(4, 4, 8), block_size=(2, 2, 4))
    with MLArray.open(tmp_path / "x.mla") as image:
        pass
    assert (image.chunks, image.blocks) == ((4, 4, 8), (2, 2, 4))
