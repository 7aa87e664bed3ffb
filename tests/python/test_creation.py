"""Images of a shape, of a range, of another image; and their way in and out of compression."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import CParams, DParams, Meta, MLArray

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHAPE = (5, 6, 7)
LABELS = ["channel", "spatial_y", "spatial_x"]


def template() -> MLArray:
    """An image with metadata of several kinds."""
    return MLArray(
        np.arange(210, dtype=">i2").reshape(SHAPE),
        spacing=(2, 3),
        axis_labels=LABELS,
        meta=Meta(source={"patient_id": "123"}, is_seg=True),
        patch_size=4,
    )


MADE: dict[str, tuple[Callable[..., MLArray], Any]] = {
    "empty": (lambda **how: MLArray.empty(SHAPE, "f4", **how), None),
    "zeros": (lambda **how: MLArray.zeros(SHAPE, "u1", **how), np.zeros(SHAPE, "u1")),
    "ones": (lambda **how: MLArray.ones(SHAPE, **how), np.ones(SHAPE)),
    "full": (lambda **how: MLArray.full(SHAPE, -3, **how), np.full(SHAPE, -3)),
    "full text": (lambda **how: MLArray.full(2, b"abc", **how), np.full(2, b"abc")),
    "full typed": (
        lambda **how: MLArray.full(SHAPE, 2.5, "i4", **how),
        np.full(SHAPE, 2, "i4"),
    ),
    "arange": (lambda **how: MLArray.arange(4, 20, 3, **how), np.arange(4, 20, 3)),
    "arange down": (
        lambda **how: MLArray.arange(9, 1, -2, "f4", **how),
        np.arange(9, 1, -2, "f4"),
    ),
    "arange stop": (lambda **how: MLArray.arange(2.5, **how), np.arange(2.5)),
    "arange shape": (
        lambda **how: MLArray.arange(24, shape=(2, 3, 4), **how),
        np.arange(24).reshape(2, 3, 4),
    ),
    "arange fortran": (
        lambda **how: MLArray.arange(24, shape=(2, 3, 4), c_order=False, **how),
        np.arange(24).reshape(2, 3, 4, order="F"),
    ),
    "linspace": (
        lambda **how: MLArray.linspace(0, 1, 5, endpoint=False, **how),
        np.linspace(0, 1, 5, endpoint=False),
    ),
    "linspace complex": (
        lambda **how: MLArray.linspace(0, 1j, 3, **how),
        np.linspace(0, 1j, 3),
    ),
    "linspace shape": (
        lambda **how: MLArray.linspace(0, 5, shape=(2, 3), dtype="i2", **how),
        np.arange(6, dtype="i2").reshape(2, 3),
    ),
    "asarray": (lambda **how: MLArray.asarray(np.eye(3), **how), np.eye(3)),
    "zeros_like": (lambda **how: MLArray.zeros_like(template(), **how), np.zeros(SHAPE, ">i2")),
    "ones_like": (
        lambda **how: MLArray.ones_like(np.eye(3, dtype="f4"), **how),
        np.ones((3, 3), "f4"),
    ),
    "full_like": (
        lambda **how: MLArray.full_like(template(), 7, "u2", **how),
        np.full(SHAPE, 7, "u2"),
    ),
    "empty_like": (lambda **how: MLArray.empty_like(template(), **how), None),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("compressed", [None, False, True])
def test_voxels_and_dtype_are_numpys(name: str, compressed: bool | None) -> None:
    make, expected = MADE[name]
    image = make(compressed=compressed)
    assert (image.chunks is not None) == bool(compressed)
    if expected is None:  # whatever is in memory
        assert image.shape == SHAPE
        return
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image.to_numpy(), expected)
    image[...] = expected[::-1]
    np.testing.assert_array_equal(image[...], expected[::-1])


@pytest.mark.parametrize("name", MADE)
def test_they_are_saved_as_asked_for(name: str, tmp_path: Path) -> None:
    make, _ = MADE[name]
    meta = Meta(extra={"made": name})
    image = make(meta=meta, patch_size=None, cparams={"codec": "zlib"}, dparams={"nthreads": 1})
    image.meta.extra["more"] = 1
    assert meta.extra == {"made": name}
    image.save(tmp_path / "a.mla")
    again = MLArray(tmp_path / "a.mla")
    np.testing.assert_array_equal(again.to_numpy(), image.to_numpy())
    assert again.meta.blosc2.patch_size is None
    assert (again.meta.blosc2.cparams or {})["codec"] == 4
    assert again.meta.extra == {"made": name, "more": 1}


def test_every_function_has_a_case() -> None:
    made = {name.split()[0] for name in MADE}
    parameters = {
        name: set(inspect.signature(getattr(MLArray, name)).parameters)
        for name in dir(MLArray)
        if not name.startswith("_") and inspect.ismethod(getattr(MLArray, name))
    }
    creating = {name for name, found in parameters.items() if "compressed" in found}
    assert creating - {"load"} == made


def test_like_takes_a_copy_of_the_metadata() -> None:
    image = template()
    twin = MLArray.zeros_like(image)
    assert twin.meta.source == {"patient_id": "123"}
    assert (twin.spacing, twin.meta.spatial.axis_labels) == ([2, 3], LABELS)
    twin.meta.source["patient_id"] = "other"
    assert image.meta.source == {"patient_id": "123"}
    image.compute_statistics()
    for alike in (MLArray.zeros_like(image), MLArray.full_like(image, 3)):
        assert alike.meta.stats.is_default()
    assert not image.meta.stats.is_default()
    other = MLArray.zeros_like(image, meta={"q": 1})
    assert (other.meta.source, other.spacing) == ({"q": 1}, None)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: MLArray.zeros((2,)), TypeError, "dtype"),  # type: ignore[call-arg]
        (lambda: MLArray.zeros((2,), None), ValueError, "dtype is None"),
        (lambda: MLArray.zeros((-1, 2), "u1"), ValueError, "negative"),
        (lambda: MLArray.zeros((1.5, 2), "u1"), TypeError, "shape"),  # type: ignore[arg-type]
        (lambda: MLArray.zeros((2,), "no such"), TypeError, "dtype"),
        (lambda: MLArray.full((2,), object()), TypeError, "object"),
        (lambda: MLArray.arange(12, shape=(3, 5)), ValueError, "15 voxels.*12 values"),
        (lambda: MLArray.linspace(0, 1, 7, shape=(3, 2)), ValueError, "6 voxels.*7 values"),
        (lambda: MLArray.linspace(0, 1), ValueError, "num or shape"),
        (lambda: MLArray.asarray([1, 2]), TypeError, "array is a list"),
        (lambda: MLArray.asarray("a.mla"), TypeError, "array is a str"),
        (lambda: MLArray.ones_like([1, 2]), TypeError, "without shape and dtype"),
        (lambda: MLArray.ones_like(MLArray()), TypeError, "without shape and dtype"),
        (lambda: MLArray.zeros((4, 4), "u1", patch_size=(2, 2, 2)), RuntimeError, "patch_size"),
        (lambda: MLArray.zeros((4, 4), "u1", chunk_size=2), RuntimeError, "block"),
        (lambda: MLArray.zeros((4, 4), "u1", cparams={"codec": "x"}), ValueError, "codec"),
        (lambda: MLArray.zeros((4, 4), "u1", dparams={"n": 1}), ValueError, "dparams"),
        (lambda: MLArray.zeros((4, 4), "u1", meta=5), ValueError, "meta"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments(make: Callable[[], MLArray], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


class TestCompressing:
    def test_there_and_back(self, volume: Any, tmp_path: Path) -> None:
        image = MLArray(volume, spacing=(3, 0.5, 0.7), meta={"a": 1})
        meta = image.meta
        image.compress(chunk_size=(16, 20, 24), block_size=(8, 8, 12))
        assert (image.chunks, image.blocks) == ((16, 20, 24), (8, 8, 12))
        assert image.meta is meta
        assert meta.blosc2.chunk_size == [16, 20, 24]
        np.testing.assert_array_equal(image.to_numpy(), volume)
        image.compress(patch_size=16)
        assert meta.blosc2.patch_size == [16, 16, 16]
        image.save(tmp_path / "a.mla")
        assert MLArray(tmp_path / "a.mla").meta.blosc2.patch_size == [16, 16, 16]
        image.decompress()
        assert (image.chunks, meta.blosc2.is_default()) == (None, True)
        assert isinstance(image.to_numpy(), np.ndarray)
        assert image.to_numpy() is image.to_numpy()
        np.testing.assert_array_equal(image.to_numpy(), volume)
        image.save(tmp_path / "a.mla")
        again = MLArray(tmp_path / "a.mla")
        assert again.meta.blosc2.patch_size == [16, 16, 16]
        assert (again.spacing, again.meta.source) == ([3, 0.5, 0.7], {"a": 1})

    @pytest.mark.parametrize("change", ["compress", "decompress"])
    @pytest.mark.parametrize("mode", ["r", "r+", "c", None])
    def test_an_open_image_lets_go_of_its_file(
        self, saved: Path, volume: Any, change: str, mode: str | None
    ) -> None:
        image = MLArray(saved) if mode is None else MLArray.open(saved, mmap_mode=mode)  # type: ignore[arg-type]
        if mode != "r":
            image[0] = 5
            volume[0] = 5
        image.meta.extra["edited"] = True
        getattr(image, change)()
        assert (image.filepath, image.mode, image.mmap_mode) == (None, None, None)
        np.testing.assert_array_equal(image.to_numpy(), volume)
        assert image.meta.extra == {"edited": True}
        on_disk = MLArray(saved)
        assert (on_disk[0] == 5).all() == (mode == "r+")
        assert bool(on_disk.meta.extra) == (mode == "r+")
        with MLArray.open(saved, mmap_mode="r+") as other:  # nobody else holds it
            other[1] = 6
        saved.unlink()
        np.testing.assert_array_equal(image[1:], volume[1:])

    @pytest.mark.parametrize("change", ["compress", "decompress"])
    def test_what_is_no_array(self, saved: Path, change: str) -> None:
        with pytest.raises(TypeError, match="no array"):
            getattr(MLArray(), change)()
        image = MLArray.open(saved)
        image.close()
        with pytest.raises(TypeError, match="closed"):
            getattr(image, change)()

    def test_closed(self, volume: Any) -> None:
        image = MLArray(volume, compressed=True)
        image.close()
        with pytest.raises(TypeError, match="the MLArray is closed: make it again"):
            image[0]

    def test_wrong_metadata_is_found(self, volume: Any) -> None:
        image = MLArray(volume, spacing=(1, 1, 1))
        image.meta.spatial.spacing[0] = "wide"  # type: ignore[index,call-overload]
        with pytest.raises(TypeError, match=r"spatial\.spacing\[0\]"):
            image.compress()
        assert image.chunks is None

    def test_a_b2nd_file(self, volume: Any, tmp_path: Path) -> None:
        MLArray(volume, spacing=(1, 2, 3)).save(tmp_path / "a.b2nd")
        image = MLArray(tmp_path / "a.b2nd")
        image.decompress()
        image.compress()
        image.meta.extra["a"] = 1
        image.save(tmp_path / "a.mla")
        again = MLArray(tmp_path / "a.mla")
        np.testing.assert_array_equal(again.to_numpy(), volume)
        assert again.meta.extra == {"a": 1}


class TestParameters:
    @pytest.mark.parametrize(
        "cparams",
        [{"codec": "zstd", "clevel": 2}, CParams("zstd", clevel=2), CParams("zstd", 2)],
    )
    def test_dicts_and_small_types_say_the_same(self, cparams: Any, volume: Any) -> None:
        image = MLArray(volume, cparams=cparams, dparams=DParams(nthreads=1), compressed=True)
        assert image.meta.blosc2.cparams is not None
        assert (image.meta.blosc2.cparams["codec"], image.meta.blosc2.cparams["clevel"]) == (
            5,
            2,
        )

    def test_what_is_none_is_left_to_the_library(self, volume: Any) -> None:
        plain = MLArray(volume, compressed=True)
        for nothing in (CParams(), {"codec": None}, CParams(nthreads=1)):
            image = MLArray(volume, cparams=nothing, compressed=True)
            assert image.meta.blosc2 == plain.meta.blosc2

    def test_the_types_of_blosc2(self, volume: Any, tmp_path: Path) -> None:
        blosc2 = pytest.importorskip("blosc2", reason="blosc2 is not installed")
        cparams = blosc2.CParams(
            codec=blosc2.Codec.ZLIB, clevel=4, filters=[blosc2.Filter.BITSHUFFLE]
        )
        image = MLArray(volume, cparams=cparams, dparams=blosc2.DParams(nthreads=2))
        image.save(tmp_path / "a.mla")
        stored = blosc2.open(str(tmp_path / "a.mla"), mode="r")
        assert stored.schunk.cparams.codec == blosc2.Codec.ZLIB
        assert stored.schunk.cparams.clevel == 4
        assert blosc2.Filter.BITSHUFFLE in stored.schunk.cparams.filters
        with MLArray.open(tmp_path / "a.mla", dparams=blosc2.DParams(nthreads=2)) as again:
            np.testing.assert_array_equal(again[...], volume)
