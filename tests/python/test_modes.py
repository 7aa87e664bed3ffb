"""How a path is opened, and what becomes of edits."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import Meta, MLArray

if TYPE_CHECKING:
    from pathlib import Path


def run(script: str, *arguments: object) -> str:
    """What a Python process of its own prints."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


# --- spellings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "mode", "mmap_mode"),
    [
        ({}, "r", "r"),
        ({"mmap": "r"}, "r", "r"),
        ({"mmap": np.str_("r")}, "r", "r"),
        ({"mmap": "r+"}, "a", "r+"),
        ({"mmap_mode": "r+"}, "a", "r+"),
        ({"mmap": "c"}, "r", "c"),
        ({"mode": "r"}, "r", "r"),
        ({"mode": "r", "mmap_mode": "r+"}, "a", "r+"),
        ({"mode": "a"}, "a", "r+"),
        ({"mode": "a", "mmap_mode": None}, "a", None),
        ({"mode": "r", "mmap_mode": None}, "r", None),
        ({"mmap_mode": None}, "r", None),
        ({"mode": "r+"}, "a", "r+"),
        ({"mode": "c"}, "r", "c"),
        ({"mmap": "r+", "mmap_mode": "r+"}, "a", "r+"),
    ],
)
def test_spellings_of_the_mode(
    saved: Path, volume: Any, arguments: Any, mode: str, mmap_mode: str | None
) -> None:
    with MLArray.open(saved, **arguments) as image:
        assert (image.mode, image.mmap_mode, image.mmap) == (mode, mmap_mode, mmap_mode)
        assert image.filepath == str(saved)
        assert image.support_metadata is True
        np.testing.assert_array_equal(image[5:9], volume[5:9])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mmap": "r", "mmap_mode": "r+"}, ["mmap='r'", "mmap_mode='r+'"]),
        ({"mode": "c", "mmap_mode": "r+"}, ["mode='c'", "mmap_mode='r+'"]),
        ({"mode": "a", "mmap_mode": "r"}, ["mode='a'", "mmap_mode='r'"]),
        ({"num_threads": 2, "dparams": {"nthreads": 3}}, ["num_threads=2", "=3"]),
        ({"mode": "x"}, ["mode='x'"]),
        ({"mode": (3, 4)}, ["shape="]),
        ({"mmap": "x"}, ["mmap_mode='x'", "'r+'"]),
        ({"mmap": ["r"]}, ["mmap_mode=['r']"]),
        ({"shape": (3, 4)}, ["shape", "'w+'"]),
        ({"patch_size": 64}, ["patch_size", "'w+'"]),
        ({"mmap": "w+"}, ["shape and dtype"]),
        ({"mmap": "w+", "shape": (3,)}, ["dtype"]),
        ({"mmap": "w+", "dtype": "u1"}, ["shape"]),
        (
            {
                "mmap": "w+",
                "shape": (3, 4),
                "dtype": "u1",
                "channel_axis": 0,
                "axis_labels": ["spatial", "channel"],
            },
            ["channel_axis=0", "axis_labels"],
        ),
    ],
)
def test_contradictions_are_named(saved: Path, arguments: Any, named: list[str]) -> None:
    before = saved.read_bytes()
    with pytest.raises(RuntimeError) as caught:
        MLArray.open(saved, **arguments)
    for text in named:
        assert text in str(caught.value)
    assert saved.read_bytes() == before


def test_wrong_paths(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.mla"):
        MLArray.open(tmp_path / "missing.mla")
    with pytest.raises(RuntimeError, match=r"missing\.mla"):
        MLArray.open(tmp_path / "missing.mla")
    with pytest.raises(FileNotFoundError):
        MLArray(tmp_path / "missing.mla")
    for action, told in (
        (lambda: MLArray.open(tmp_path / "a.nii"), r"a NIfTI file; convert it: .*a\.mla"),
        (lambda: MLArray(tmp_path / "a.nii"), r"a NIfTI file; convert it: .*a\.mla"),
        (lambda: MLArray(np.zeros(3)).save(tmp_path / "a"), r"\.mla or \.b2nd"),
        (lambda: MLArray.create(tmp_path / "a.npy", 3, "u1"), r"\.mla or \.b2nd"),
    ):
        with pytest.raises(RuntimeError, match=told):
            action()
    with pytest.raises(RuntimeError, match="folder"):
        MLArray(np.zeros(3)).save(tmp_path / "no" / "folder" / "a.mla")
    (tmp_path / "junk.mla").write_bytes(b"junk" * 100)
    with pytest.raises(RuntimeError, match=r"junk\.mla"):
        MLArray.open(tmp_path / "junk.mla")


# --- creating -----------------------------------------------------------------------------


def test_w_plus_creates_and_replaces(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.mla"
    for dtype in ("int16", "float32"):
        image = MLArray.open(path, shape=volume.shape, dtype=dtype, mmap="w+")
        assert (image.mode, image.mmap) == ("w", "w+")
        assert not image[...].any()
        image[...] = volume
        image.close()
        assert MLArray(path).dtype == dtype
    np.testing.assert_array_equal(MLArray(path).to_numpy(), volume)


def test_create_takes_metadata_and_layout(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    with MLArray.create(
        path,
        (2, 40, 50),
        np.uint16,
        meta={"study": 1},
        channel_axis=0,
        chunk_size=(1, 20, 30),
        block_size=(1, 10, 10),
        cparams={"codec": "zstd", "clevel": 2},
    ) as image:
        image.spacing = (0.5, 0.25)
        image[0] = 3
    with MLArray.open(path) as image:
        assert image.meta.source == {"study": 1}
        assert image.spacing == [0.5, 0.25]
        assert image.meta.spatial.axis_labels == ["channel", "spatial", "spatial"]
        assert (image.chunks, image.blocks) == ((1, 20, 30), (1, 10, 10))
        assert image.meta.blosc2.chunk_size == [1, 20, 30]
        assert (image[0] == 3).all()
        assert not image[1].any()


def test_int_shape(tmp_path: Path) -> None:
    with MLArray.create(tmp_path / "a.mla", 7, "u1") as image:
        assert image.shape == (7,)
    with pytest.raises(TypeError, match="shape"):
        MLArray.create(tmp_path / "a.mla", (3, 1.5), "u1")


# --- edits are saved ----------------------------------------------------------------------


def test_close_saves_voxels_and_metadata(saved: Path, volume: Any) -> None:
    image = MLArray.open(saved, mmap="r+")
    image[0] = 5
    image.spacing[1] = 5.3
    image.meta.source["study_id"] = "new"
    image.close()
    image.close()
    with MLArray.open(saved) as again:
        assert again.spacing == [3.0, 5.3, 0.7]
        assert again.meta.source == {"patient_id": "123", "study_id": "new"}
        assert (again[0] == 5).all()
        np.testing.assert_array_equal(again[1:], volume[1:])


def test_flush_saves_and_goes_on(saved: Path) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        for value in (1, 2):
            image[0] = value
            image.meta.source["value"] = value
            image.flush(durable=value == 2)
            script = """
                import sys
                from mlarray import MLArray
                image = MLArray.open(sys.argv[1])
                print(image[0, 0, 0], image.meta.source["value"])
            """
            assert run(script, saved) == f"{value} {value}\n"


def test_collected_without_close_saves(saved: Path) -> None:
    image = MLArray.open(saved, mmap="r+")
    image[0] = 5
    image.meta.is_seg = True
    del image
    gc.collect()
    with MLArray.open(saved) as again:
        assert (again[0] == 5).all()
        assert again.meta.is_seg == True  # noqa: E712 - compares like the value


def test_exit_without_close_saves(saved: Path) -> None:
    script = """
        import sys
        from mlarray import MLArray
        image = MLArray.open(sys.argv[1], mmap="r+")
        created = MLArray.open(sys.argv[2], shape=(3, 4), dtype="u1", mmap="w+")
        image[0] = 5
        created[1] = 6
        image.meta.source["study_id"] = "at exit"
        created.spacing = (1, 2)
        sys.stored = [image, created]  # alive until the very end
    """
    other = saved.with_name("created.mla")
    run(script, saved, other)
    with MLArray.open(saved) as image, MLArray.open(other) as created:
        assert (image[0] == 5).all()
        assert image.meta.source["study_id"] == "at exit"
        assert (created[1] == 6).all()
        assert created.spacing == [1.0, 2.0]


def test_an_error_inside_with_still_closes(saved: Path) -> None:
    image = MLArray.open(saved, mmap="r+")

    def edit_and_fail() -> None:
        with image:
            image[0] = 5
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        edit_and_fail()
    assert image.filepath is None
    assert (MLArray(saved)[0] == 5).all()


def test_untouched_files_stay_byte_for_byte(saved: Path) -> None:
    before = saved.read_bytes()
    with MLArray.open(saved, mmap="r+") as image:
        assert image.spacing == [3.0, 0.5, 0.7]
        assert image.meta.source == {"patient_id": "123"}
    assert saved.read_bytes() == before


def test_copy_on_write_leaves_the_file(saved: Path) -> None:
    before = saved.read_bytes()
    with MLArray.open(saved, mmap="c") as image:
        image[0] = 5
        image.meta.source["study_id"] = "copy"
        image.save(saved.with_name("copy.mla"))
    assert saved.read_bytes() == before
    copied = MLArray(saved.with_name("copy.mla"))
    assert (copied[0] == 5).all()
    assert copied.meta.source["study_id"] == "copy"


def test_metadata_edited_in_mode_r_warns(saved: Path) -> None:
    before = saved.read_bytes()
    image = MLArray.open(saved)
    image.spacing[0] = 9
    with pytest.warns(UserWarning, match=r"open it with 'r\+'"):
        image.close()
    assert saved.read_bytes() == before


def test_unedited_metadata_in_mode_r_does_not_warn(saved: Path) -> None:
    with MLArray.open(saved) as image:
        assert image.affine[0][0] == 3.0
        assert image.meta.to_mapping()


# --- two handles on one path --------------------------------------------------------------


def test_reading_sees_what_a_writer_did(saved: Path) -> None:
    with MLArray.open(saved, mmap="r+") as writer:
        writer[0] = 5
        writer.meta.source["study_id"] = "live"
        for again in (MLArray.open(saved), MLArray(saved)):
            assert (again[0] == 5).all()
            assert again.meta.source["study_id"] == "live"
        writer[1] = 6
        writer.spacing[0] = 8
    with MLArray.open(saved) as again:
        assert (again[1] == 6).all()
        assert again.spacing[0] == 8


def test_a_second_writer_detaches_the_first(saved: Path) -> None:
    older = MLArray.open(saved, mmap="r+")
    older[0] = 5
    older.meta.source["study_id"] = "older"
    with pytest.warns(UserWarning, match="open for writing in this process already") as caught:
        newer = MLArray.open(saved, mmap="r+")
    assert caught[0].filename == __file__
    assert (newer[0] == 5).all()
    assert newer.meta.source["study_id"] == "older"
    assert (older[0] == 5).all()
    with pytest.raises(RuntimeError, match="older handle"):
        older[0] = 6
    older.meta.source["study_id"] = "too late"
    with pytest.warns(UserWarning, match="not saved"):
        older.close()
    newer[0] = 7
    newer.close()
    with MLArray.open(saved) as again:
        assert (again[0] == 7).all()
        assert again.meta.source["study_id"] == "older"


def test_w_plus_over_a_live_writer(saved: Path) -> None:
    older = MLArray.open(saved, mmap="r+")
    older[0] = 5
    with pytest.warns(UserWarning, match="already") as caught:
        newer = MLArray.open(saved, shape=(2, 3), dtype="f4", mmap="w+")
    assert caught[0].filename == __file__
    assert (older[0] == 5).all()
    assert newer.shape == (2, 3)
    older.close()
    newer.close()
    assert MLArray(saved).shape == (2, 3)


def test_save_over_a_live_writer_and_over_oneself(saved: Path, volume: Any) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        image[0] = 5
        image.meta.source["study_id"] = "own"
        image.save(saved, patch_size=32)
        image[1] = 6
        image.meta.source["later"] = True
    with MLArray.open(saved) as reader:
        assert (reader[:2].reshape(2, -1) == [[5], [6]]).all()
        assert reader.meta.source == {"patient_id": "123", "study_id": "own", "later": True}
        reader.save(saved)  # saving over the file that one reads
        np.testing.assert_array_equal(reader[2:], volume[2:])
    writer = MLArray.open(saved, mmap="r+")
    with pytest.warns(UserWarning, match="already"):
        MLArray(volume).save(saved)
    writer.close()
    np.testing.assert_array_equal(MLArray(saved).to_numpy(), volume)


def test_another_process_may_not_write_at_once(saved: Path) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        script = """
            import sys
            from mlarray import MLArray
            try:
                MLArray.open(sys.argv[1], mmap="r+")
            except RuntimeError as error:
                print(type(error).__name__)
        """
        assert run(script, saved) == "BusyError\n"
        image[0] = 1


# --- .b2nd --------------------------------------------------------------------------------


def test_b2nd(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.b2nd"
    MLArray(volume, spacing=(1, 2, 3)).save(path, chunk_size=16, block_size=8)
    with MLArray.open(path, mmap="r+") as image:
        assert image.support_metadata is False
        assert image.spacing is None
        image[0] = 5
    image = MLArray(path)
    assert (image[0] == 5).all()
    image.spacing = (3, 2, 1)
    image.save(tmp_path / "a.mla")
    again = MLArray(tmp_path / "a.mla")
    assert again.spacing == [3.0, 2.0, 1.0]
    assert again.chunks == (16, 16, 16)
    image = MLArray.open(path, mmap="r+")
    image.meta.is_seg = True
    with pytest.warns(UserWarning, match="holds no metadata"):
        image.close()


def test_b2nd_of_another_writer(tmp_path: Path, volume: Any) -> None:
    blosc2 = pytest.importorskip("blosc2")
    path = tmp_path / "a.b2nd"
    blosc2.asarray(volume, urlpath=str(path), chunks=(16, 16, 16), blocks=(8, 8, 8))
    np.testing.assert_array_equal(MLArray(path).to_numpy(), volume)
    with MLArray.open(path, mmap="r+") as image:
        image[3:5] = 1
    np.testing.assert_array_equal(blosc2.open(str(path))[3:5], 1)


# --- after close --------------------------------------------------------------------------


def test_closed_images_say_so(saved: Path, volume: Any) -> None:
    for image in (MLArray.open(saved), MLArray(volume), MLArray(saved)):
        image.close()
        for action in (lambda i=image: i[0], image.to_numpy, lambda i=image: i.__array__()):
            with pytest.raises(TypeError, match="closed"):
                action()
        with pytest.raises(RuntimeError, match="closed"):
            image[0] = 1
        assert "closed" in repr(image)


def test_metadata_only(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    image = MLArray(meta=Meta(source={"a": 1}))
    assert image.shape is None
    image.save(path)
    again = MLArray(path)
    assert again.meta.source == {"a": 1}
    assert again.meta._has_array.has_array is False


def test_no_warnings_in_ordinary_use(saved: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with MLArray.open(saved, mmap="r+") as image:
            image[0] = 1
        with MLArray.open(saved, mmap="r+") as image:
            image[0] = 2
        image = MLArray.open(saved)
        image = MLArray.open(saved)
        assert (image[0] == 2).all()
