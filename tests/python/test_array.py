"""The class MLArray: construction, metadata, layout, saving, protocols."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlarray
from mlarray import Meta, MLArray, MLArrayError
from mlarray._compat.aliases import ALIASES
from mlarray._store import save_options

ROOT = Path(__file__).resolve().parents[2]
OBLIQUE = [[0.0, -2.0, 0.0, 5.0], [1.5, 0.0, 0.0, 6.0], [0.0, 0.0, 3.0, 7.0], [0, 0, 0, 1]]


# --- construction -------------------------------------------------------------------------


def test_an_array_is_held_as_it_is(volume: Any) -> None:
    image = MLArray(volume)
    assert image.to_numpy() is volume
    assert np.asarray(image) is volume
    assert np.array(image) is not volume
    image[0] = 5
    assert (volume[0] == 5).all()
    assert image.shape == volume.shape
    assert image.dtype == volume.dtype
    assert (image.ndim, image.size, image.nbytes) == (3, volume.size, volume.nbytes)
    assert (image.filepath, image.mode, image.mmap_mode) == (None, None, None)
    assert (image.chunks, image.blocks, image.support_metadata) == (None, None, None)


@pytest.mark.parametrize("wrong", [[1, 2, 3], 5, {"a": 1}, bytearray(b"x")])
def test_what_is_no_array_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="array is a"):
        MLArray(wrong)


def test_an_image_of_an_image(saved: Path, volume: Any) -> None:
    with MLArray.open(saved) as source:
        image = MLArray(source, meta=Meta(is_seg=True))
    np.testing.assert_array_equal(image.to_numpy(), volume)
    assert image.spacing == [3.0, 0.5, 0.7]
    assert image.meta.is_seg == True  # noqa: E712


def test_a_path_excludes_metadata(saved: Path, volume: Any) -> None:
    for arguments in (
        {"spacing": (1, 2, 3)},
        {"meta": {"a": 1}},
        {"copy": MLArray(volume)},
        {"chunk_size": 8, "block_size": 8},
        {"channel_axis": 0},
    ):
        with pytest.raises(RuntimeError, match=next(iter(arguments))):
            MLArray(saved, **arguments)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_loaded_file_is_detached(saved: Path, volume: Any, compressed: bool) -> None:
    image = MLArray.load(saved, compressed=compressed)
    assert image.filepath == str(saved)
    saved.unlink()
    image[0] = 5
    np.testing.assert_array_equal(image[1:], volume[1:])
    assert (image[0] == 5).all()
    assert image.spacing == [3.0, 0.5, 0.7]
    image.meta.source["study_id"] = "x"
    image.save(saved)
    again = MLArray(str(saved))
    assert (again[0] == 5).all()
    assert again.meta.source["study_id"] == "x"


# --- metadata -----------------------------------------------------------------------------


def test_geometry(volume: Any) -> None:
    image = MLArray(
        volume, spacing=np.array([1, 1, 1.5]), origin=(10, 10, 30), direction=np.eye(3)
    )
    assert image.spacing == [1.0, 1.0, 1.5]
    assert image.origin == [10.0, 10.0, 30.0]
    assert image.direction == np.eye(3).tolist()
    assert image.affine == [[1, 0, 0, 10], [0, 1, 0, 10], [0, 0, 1.5, 30], [0, 0, 0, 1]]
    assert image.translation == [10.0, 10.0, 30.0]
    assert image.scale == [1.0, 1.0, 1.5]
    assert image.rotation == np.eye(3).tolist()
    assert image.shear == np.eye(3).tolist()
    assert (image.spatial_ndim, image._spatial_ndim) == (3, 3)
    image.spacing[1] = 5.3
    assert image.spacing == [1.0, 5.3, 1.5]
    image.spacing = None
    assert image.spacing is None
    assert image.scale == [1.0, 1.0, 1.0]


def test_stored_affine(tmp_path: Path, volume: Any) -> None:
    MLArray(volume, affine=OBLIQUE).save(tmp_path / "a.mla")
    image = MLArray(tmp_path / "a.mla")
    assert image.affine == OBLIQUE
    assert image.spacing == image.scale == [1.5, 2.0, 3.0]
    assert image.translation == [5.0, 6.0, 7.0]
    image.spacing = (1, 2, 3)
    assert image.meta.spatial.spacing is None
    assert image.scale == [1.0, 2.0, 3.0]
    image.affine = None
    assert image.spacing is None
    image.spacing = (1, 2, 3)
    assert image.affine == np.diag([1.0, 2.0, 3.0, 1.0]).tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"spacing": (1, 2)}, ValueError, "spacing"),
        ({"origin": (1, 2, 3, 4)}, ValueError, "origin"),
        ({"direction": np.eye(2)}, ValueError, "direction"),
        ({"affine": np.eye(3)}, ValueError, "affine"),
        ({"affine": np.eye(4), "spacing": (1, 2, 3)}, ValueError, "affine"),
        ({"spacing": "abc"}, TypeError, "spacing"),
        ({"meta": 5}, ValueError, "meta"),
        ({"axis_labels": ["channel"]}, RuntimeError, "axis_labels"),
        ({"channel_axis": 3}, ValueError, "channel_axis"),
        ({"dparams": {"threads": 1}}, ValueError, "'threads'"),
        ({"dparams": 4}, TypeError, "dparams"),
        ({"num_threads": 0}, ValueError, "num_threads"),
        ({"num_threads": "all"}, TypeError, "num_threads"),
    ],
)
def test_wrong_metadata(volume: Any, arguments: Any, error: Any, named: str) -> None:
    with pytest.raises(error, match=named) as caught:
        MLArray(volume, **arguments)
    assert isinstance(caught.value, MLArrayError)


@pytest.mark.parametrize(
    ("name", "value"),
    [("spacing", (1, 2)), ("origin", 5), ("direction", [[1]]), ("affine", "x")],
)
def test_wrong_assignments_change_nothing(saved: Path, name: str, value: Any) -> None:
    with MLArray.open(saved) as image:
        before = getattr(image, name)
        with pytest.raises((ValueError, TypeError), match=name):
            setattr(image, name, value)
        assert getattr(image, name) == before


def test_channel_axis_is_axis_labels(tmp_path: Path) -> None:
    array = np.zeros((4, 5, 6, 2), "u1")
    for axis in (3, -1):
        image = MLArray(array, spacing=(1, 2, 3), channel_axis=axis)
        assert image.meta.spatial.axis_labels == ["spatial"] * 3 + ["channel"]
        assert image.spatial_ndim == 3
        assert len(image.affine) == 4
    same = MLArray(array, channel_axis=3, axis_labels=["spatial"] * 3 + ["channel"])
    assert same.spatial_ndim == 3
    image.save(tmp_path / "a.mla", patch_size=4)
    with pytest.raises(RuntimeError, match="3 axes of space"):
        image.save(tmp_path / "a.mla", patch_size=(4, 4))


def test_copy_fills_only_what_is_not_given(volume: Any) -> None:
    base = MLArray(
        volume,
        spacing=(1, 2, 3),
        origin=(4, 5, 6),
        meta=Meta(source={"a": 1, "deep": {"b": 2}}, is_seg=True),
    )
    image = MLArray(volume, spacing=(0.8, 0.8, 1.0), copy=base)
    assert image.spacing == [0.8, 0.8, 1.0]
    assert image.origin == [4.0, 5.0, 6.0]
    assert image.meta.source == {"a": 1, "deep": {"b": 2}}
    assert image.meta.is_seg == True  # noqa: E712
    image.meta.source["deep"]["b"] = 3
    image.origin[0] = 9
    assert base.meta.source["deep"]["b"] == 2
    assert base.origin == [4.0, 5.0, 6.0]


def test_copy_between_affine_and_parts(volume: Any) -> None:
    base = MLArray(volume, affine=OBLIQUE)
    image = MLArray(volume, spacing=(3, 4, 6), copy=base)
    assert image.spacing == [3.0, 4.0, 6.0]
    assert image.origin == [5.0, 6.0, 7.0]
    np.testing.assert_allclose(
        np.array(image.affine)[:3, :3], np.array(OBLIQUE)[:3, :3] * [2, 2, 2]
    )
    image = MLArray(volume, affine=OBLIQUE, copy=MLArray(volume, spacing=(1, 2, 3)))
    assert image.affine == OBLIQUE
    assert image.meta.spatial.spacing is None
    assert MLArray(volume, copy=base).affine == OBLIQUE


def test_copy_keeps_the_patch_size(tmp_path: Path, volume: Any) -> None:
    MLArray(volume).save(tmp_path / "base.mla", patch_size=20)
    base = MLArray(tmp_path / "base.mla")
    MLArray(volume, copy=base).save(tmp_path / "a.mla")
    image = MLArray(tmp_path / "a.mla")
    assert image.meta.blosc2.patch_size == [20, 20, 20]
    assert (image.chunks, image.blocks) == (base.chunks, base.blocks)


def test_metadata_can_be_replaced(saved: Path) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        image.meta = {"new": 1}
    with MLArray.open(saved) as image:
        assert image.meta.source == {"new": 1}
        assert image.spacing is None


# --- layout and compression ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "chunks", "blocks"),
    [
        ({"chunk_size": (16, 20, 24), "block_size": (8, 8, 12)}, (16, 20, 24), (8, 8, 12)),
        ({"chunk_size": 16, "block_size": 8}, (16, 16, 16), (8, 8, 8)),
        ({"patch_size": None, "chunk_size": 16, "block_size": 4}, (16, 16, 16), (4, 4, 4)),
    ],
)
def test_sizes_asked_for_are_in_the_file(
    tmp_path: Path, volume: Any, layout: Any, chunks: Any, blocks: Any
) -> None:
    path = tmp_path / "a.mla"
    MLArray(volume).save(path, **layout)
    with MLArray.open(path) as image:
        assert (image.chunks, image.blocks) == (chunks, blocks)
        assert image.meta.blosc2.chunk_size == list(chunks)
        assert image.meta.blosc2.block_size == list(blocks)
    MLArray(volume, **layout).save(path)
    assert MLArray(path).chunks == chunks


@pytest.mark.parametrize("patch", [12, (8, 16, 32), np.array([8, 16, 32]), "default", None])
def test_patch_sizes(tmp_path: Path, volume: Any, patch: Any) -> None:
    path = tmp_path / "a.mla"
    MLArray(volume).save(path, patch_size=patch)
    expected = {"int": [12, 12, 12], "str": [192, 192, 192], "NoneType": None}.get(
        type(patch).__name__, [8, 16, 32]
    )
    assert MLArray(path).meta.blosc2.patch_size == expected


def test_a_patch_is_reported_with_the_lengths_that_were_used(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    voxels = np.zeros((70, 130, 200), "i2")
    MLArray(voxels).save(path, patch_size=96)
    blosc2 = MLArray(path).meta.blosc2
    assert blosc2.patch_size == [96, 96, 96]
    assert (blosc2.chunk_size, blosc2.block_size) == ([48, 64, 128], [16, 32, 32])
    # The lengths of 0.0.54 stay to be had.
    chunks, blocks = MLArray.comp_blosc2_params(voxels.shape, (96,) * 3, bytes_per_pixel=2)
    assert (chunks, blocks) == ([66, 72, 120], [22, 24, 24])
    MLArray(voxels).save(path, chunk_size=chunks, block_size=blocks)
    blosc2 = MLArray(path).meta.blosc2
    assert (blosc2.chunk_size, blosc2.block_size) == (chunks, blocks)
    assert blosc2.patch_size is None


def test_saving_again_keeps_layout_and_codec(
    tmp_path: Path, volume: Any, small_chunks: Any
) -> None:
    first, second = tmp_path / "1.mla", tmp_path / "2.mla"
    MLArray(volume).save(first, **small_chunks, cparams={"codec": "zstd", "clevel": 2})
    for image in (MLArray(first), MLArray.open(first)):
        image.save(second)
        again = MLArray(second)
        assert (again.chunks, again.blocks) == ((16, 20, 24), (8, 8, 12))
        assert (again._store.core.codec.codec, again._store.core.codec.level) == (5, 2)
        image.save(second, patch_size="default", cparams={"codec": "lz4"})
        again = MLArray(second)
        assert again.meta.blosc2.patch_size == [192] * 3
        assert again._store.core.codec.codec == 1


@pytest.mark.parametrize(
    ("layout", "error", "named"),
    [
        ({"patch_size": 8, "chunk_size": 8, "block_size": 8}, RuntimeError, "patch_size"),
        ({"chunk_size": 8}, RuntimeError, "block_size"),
        ({"block_size": 8}, RuntimeError, "chunk_size"),
        ({"patch_size": (8, 8)}, RuntimeError, "3 axes of space"),
        ({"chunk_size": (8, 8), "block_size": 8}, RuntimeError, "3 axes"),
        ({"patch_size": 0}, ValueError, "patch_size"),
        ({"patch_size": "big"}, ValueError, "'default'"),
        ({"patch_size": 1.5}, TypeError, "patch_size"),
        ({"chunk_size": 4, "block_size": 8}, ValueError, "block_size"),
        ({"cparams": {"codec": "zfp"}}, ValueError, "zstd"),
        ({"cparams": {"codec": 40}}, ValueError, "40"),
        ({"cparams": {"clevel": 10}}, ValueError, "10"),
        ({"cparams": {"level": 5}}, ValueError, "'level'"),
        ({"cparams": {"use_dict": True}}, RuntimeError, "use_dict"),
        ({"cparams": {"filters": [3]}}, ValueError, "filter"),
        ({"cparams": "zstd"}, TypeError, "cparams"),
        ({"metadata_format": "old"}, RuntimeError, "'legacy'"),
        ({"num_threads": 2, "cparams": {"nthreads": 1}}, RuntimeError, "num_threads"),
    ],
)
def test_wrong_options_write_nothing(
    tmp_path: Path, volume: Any, layout: Any, error: Any, named: str
) -> None:
    with pytest.raises(error, match=named):
        MLArray(volume).save(tmp_path / "a.mla", **layout)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("codec", ["blosclz", "lz4", "lz4hc", "zlib", "zstd"])
@pytest.mark.parametrize("filters", [[], ["shuffle"], ["bitshuffle"], ["shuffle", "bytedelta"]])
def test_codecs_and_filters(
    tmp_path: Path, volume: Any, codec: str, filters: list[str]
) -> None:
    path = tmp_path / "a.mla"
    MLArray(volume).save(path, cparams={"codec": codec, "clevel": 3, "filters": filters})
    np.testing.assert_array_equal(MLArray(path).to_numpy(), volume)


def test_parameters_of_python_blosc2(tmp_path: Path, volume: Any) -> None:
    blosc2 = pytest.importorskip("blosc2")
    path = tmp_path / "a.mla"
    shuffle = blosc2.Filter.BITSHUFFLE
    for cparams in (
        {
            "codec": blosc2.Codec.ZSTD,
            "clevel": 1,
            "filters": [shuffle],
            "splitmode": blosc2.SplitMode.NEVER_SPLIT,
            "nthreads": 1,
        },
        blosc2.CParams(codec=blosc2.Codec.ZSTD, clevel=1, filters=[shuffle]),
    ):
        MLArray(volume).save(path, cparams=cparams, dparams=blosc2.DParams(nthreads=1))
        codec = MLArray(path)._store.core.codec
        assert (codec.codec, codec.level, list(codec.filters)) == (5, 1, [0, 0, 0, 0, 0, 2])
        stored = blosc2.open(str(path))
        np.testing.assert_array_equal(stored[...], volume)
        assert stored.schunk.cparams.codec == blosc2.Codec.ZSTD


def test_both_formats_of_metadata(tmp_path: Path, volume: Any) -> None:
    image = MLArray(volume, spacing=(1, 2, 3), meta={"a": 1})
    contents = set()
    for name in ("current", "legacy"):
        path = tmp_path / f"{name}.mla"
        image.save(path, metadata_format=name)
        again = MLArray(path)
        assert again.spacing == [1, 2, 3]
        assert again.meta.source == {"a": 1}
        contents.add(path.read_bytes())
    assert len(contents) == 2


def test_the_table_of_aliases_is_the_documented_one() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    for alias in ALIASES:
        for spelling in (alias.older, alias.newer):
            assert spelling.split("(")[0].removeprefix("._") in page


def test_threads_are_limited_by_name_of_either_generation(saved: Path, volume: Any) -> None:
    for arguments in ({"num_threads": 1}, {"dparams": {"nthreads": 2}}):
        with MLArray.open(saved, **arguments) as image:
            np.testing.assert_array_equal(image[...], volume)
    before = mlarray.num_threads()
    mlarray.set_num_threads(1)
    assert mlarray.num_threads() == 1
    np.testing.assert_array_equal(MLArray(saved).to_numpy(), volume)
    mlarray.set_num_threads(before)
    with pytest.raises(ValueError, match="0"):
        mlarray.set_num_threads(0)


def test_saving_takes_the_threads_of_the_image(
    tmp_path: Path, volume: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    given = save_options._core.SaveOptions

    def recorded(**options: Any) -> Any:
        asked.append(options["threads"])
        return given(**options)

    monkeypatch.setattr(save_options._core, "SaveOptions", recorded)
    image = MLArray(volume, num_threads=3)
    image.save(tmp_path / "a.mla")
    image.save(tmp_path / "a.mla", num_threads=2)
    image.save(tmp_path / "a.mla", dparams={"nthreads": 1})
    MLArray(volume).save(tmp_path / "a.mla")
    image.compress()
    MLArray(volume, num_threads=4, compressed=True)
    assert asked == [3, 2, 1, 0, 3, 4]


def test_verify_is_for_paths(saved: Path, volume: Any) -> None:
    assert MLArray(saved, verify=False).shape == volume.shape
    with pytest.raises(RuntimeError, match="verify=True is for a path"):
        MLArray(volume, verify=True)


# --- protocols ----------------------------------------------------------------------------


def test_numpy_protocol(saved: Path, volume: Any) -> None:
    with MLArray.open(saved) as image:
        np.testing.assert_array_equal(np.asarray(image), volume)
        assert np.asarray(image, dtype=np.float32).dtype == np.float32
        np.testing.assert_array_equal(np.add(image, 1), volume + 1)
        with pytest.raises(ValueError, match="without a copy"):
            image.__array__(copy=False)
    in_memory = MLArray(volume)
    assert in_memory.__array__(copy=False) is volume
    assert in_memory.__array__(copy=True) is not volume
    with pytest.raises(ValueError, match="without a copy"):
        in_memory.__array__(np.float32, copy=False)


def test_pickling_by_path(saved: Path, volume: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(saved.parent)
    with MLArray.open(saved.name, num_threads=1) as image:
        data = pickle.dumps(image)
        assert len(data) < 1000
        monkeypatch.chdir("/")
        for again in (pickle.loads(data), copy.copy(image), copy.deepcopy(image)):
            np.testing.assert_array_equal(again[...], volume)
            assert again.mmap_mode == "r"
            again.close()


def test_a_pickle_refers_to_the_path_and_carries_the_options(
    saved: Path, volume: Any, tmp_path: Path
) -> None:
    image = MLArray.open(saved, mmap_mode=None, num_threads=1, verify=False)
    image.meta.source["patient_id"] = "edited"
    data = pickle.dumps(image)
    again = pickle.loads(data)
    assert (again.mode, again.mmap_mode) == ("r", None)
    assert again._threads == 1
    assert again._store.verify is False
    assert again.meta.source["patient_id"] == "edited"  # unsaved edits go along
    np.testing.assert_array_equal(again[...], volume)
    with pytest.warns(UserWarning, match="edited"):
        again.close()
    with pytest.warns(UserWarning, match="edited"):
        image.close()
    # The file as it is when the pickle is loaded, not when it was made.
    with MLArray.open(saved) as image:
        data = pickle.dumps(image)
        copied = copy.deepcopy(image)
        MLArray(volume + 1).save(saved)
        with pickle.loads(data) as again:
            np.testing.assert_array_equal(again[...], volume + 1)
        np.testing.assert_array_equal(copied[...], volume)  # opened before
        copied.close()
        saved.unlink()
        with pytest.raises(FileNotFoundError, match=r"volume\.mla"):
            pickle.loads(data)


@pytest.mark.parametrize("mode", ["r+", "c", "w+"])
def test_what_can_be_edited_is_not_pickled(saved: Path, tmp_path: Path, mode: Any) -> None:
    created = {"shape": (3,), "dtype": "u1"} if mode == "w+" else {}
    path = tmp_path / "new.mla" if mode == "w+" else saved
    with MLArray.open(path, mmap=mode, **created) as image:
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="'r'"):
                attempt(image)


def test_pickling_in_memory(saved: Path, volume: Any) -> None:
    for image in (MLArray(volume, spacing=(3, 0.5, 0.7)), MLArray(saved)):
        again = pickle.loads(pickle.dumps(image))
        np.testing.assert_array_equal(again[...], volume)
        assert again.spacing == [3.0, 0.5, 0.7]
    with MLArray.open(saved, mmap="r+") as image, pytest.raises(TypeError, match="'r'"):
        pickle.dumps(image)


def test_importing_is_light() -> None:
    script = (
        "import sys; import mlarray; assert 'numpy' not in sys.modules; from mlarray import "
        "MLArray; bad = {'blosc2', 'nibabel', 'asyncio', 'pydantic'} & set(sys.modules); "
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_opening_reads_no_metadata(saved: Path) -> None:
    script = (
        "import sys; from mlarray import MLArray; MLArray.open(sys.argv[1])[0]; "
        "assert 'mlarray.meta' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, str(saved)], check=True)


def test_all_names_can_be_imported() -> None:
    for name in mlarray.__all__:
        assert getattr(mlarray, name) is not None
    assert set(mlarray.__all__) <= set(dir(mlarray))
    with pytest.raises(AttributeError, match="nothing"):
        mlarray.nothing  # noqa: B018
