"""docs/usage.md: every block runs, in order, in one folder, and does what the page says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlarray import Meta, MLArray
from pages import ROOT, blocks_of, run_page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "usage.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_has_its_blocks() -> None:
    assert len(blocks_of(PAGE)) == 10


@pytest.mark.slow
def test_every_block_runs_twice_in_one_folder(folder: Path) -> None:
    expected = "\n".join(
        [
            "[1.0, 1.0, 1.5]",
            "[10.0, 10.0, 30.0]",
            "{'patient_id': '123', 'modality': 'CT'}",
            "{'patient_id': '123', 'modality': 'CT'}",
            "True",
            "",
        ]
    )
    for _ in range(2):
        assert run_page(PAGE) == expected
    assert sorted(path.name for path in folder.iterdir()) == [
        "copied-metadata.mla",
        "default-patch.mla",
        "manual-chunk-block.mla",
        "patch-512.mla",
        "patch-non-iso.mla",
        "sample.mla",
        "with-metadata.mla",
    ]
    # The second-last block with metadata is the last to write this file.
    assert MLArray("with-metadata.mla").meta.is_seg == False  # noqa: E712
    sample = MLArray("sample.mla").to_numpy()
    for name in ("default-patch", "patch-512", "patch-non-iso", "manual-chunk-block"):
        np.testing.assert_array_equal(MLArray(f"{name}.mla").to_numpy(), sample)


def test_a_crop_is_edited_in_the_file(folder: Path) -> None:
    array = np.random.default_rng(1).random((32, 128, 96))
    MLArray(array).save("sample.mla")
    image = MLArray.open("sample.mla", mmap="r+")
    image[10:20, 50:60] *= 5
    image.close()
    array[10:20, 50:60] *= 5
    np.testing.assert_array_equal(MLArray("sample.mla").to_numpy(), array)


def test_what_w_plus_creates_is_what_is_assigned(folder: Path) -> None:
    array = np.random.default_rng(2).random((32, 128, 96))
    MLArray(np.zeros(3)).save("sample.mla")
    image = MLArray.open("sample.mla", shape=array.shape, dtype=array.dtype, mmap="w+")
    image[...] = array
    np.testing.assert_array_equal(MLArray("sample.mla").to_numpy(), array)


def test_metadata_is_edited_and_saved(folder: Path) -> None:
    image = MLArray(
        np.zeros((64, 128, 128)),
        spacing=(1.0, 1.0, 1.5),
        origin=(10.0, 10.0, 30.0),
        direction=[[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        meta={"patient_id": "123", "modality": "CT"},
    )
    assert image.spacing == [1.0, 1.0, 1.5]
    assert image.meta.original == {"patient_id": "123", "modality": "CT"}
    image.spacing[1] = 5.3
    image.meta.original["study_id"] = "study-001"
    image.save("with-metadata.mla")
    image = MLArray.open("with-metadata.mla", mmap="r+")
    assert image.spacing == [1.0, 5.3, 1.5]
    image.meta.original["study_id"] = "new-study"
    image.close()
    again = MLArray.open("with-metadata.mla")
    assert again.meta.original["study_id"] == "new-study"
    assert again.spacing == [1.0, 5.3, 1.5]
    again.close()


def test_copy_changes_only_the_spacing(folder: Path) -> None:
    array = np.random.default_rng(3).random((32, 64, 64))
    MLArray(
        array,
        spacing=(1, 2, 3),
        origin=(4, 5, 6),
        meta=Meta(original={"patient_id": "123"}, is_seg=False),
    ).save("sample.mla")
    base = MLArray("sample.mla")
    MLArray(array, spacing=(0.8, 0.8, 1.0), copy=base).save("copied-metadata.mla")
    copied = MLArray("copied-metadata.mla")
    expected = base.meta.to_mapping()
    found = copied.meta.to_mapping()
    assert found["spatial"].pop("spacing") == [0.8, 0.8, 1.0]
    assert expected["spatial"].pop("spacing") == [1.0, 2.0, 3.0]
    assert found == expected


def test_is_seg_is_true_then_false(folder: Path) -> None:
    image = MLArray(np.zeros((8, 8, 8)), meta=Meta(original={"a": 1}, is_seg=True))
    image.save("a.mla")
    assert MLArray("a.mla").meta.is_seg == True  # noqa: E712
    image.meta.is_seg = False
    image.save("a.mla")
    assert MLArray("a.mla").meta.is_seg == False  # noqa: E712
    assert bool(MLArray("a.mla").meta.is_seg) is False


def test_the_sizes_asked_for_are_those_in_the_file(folder: Path) -> None:
    MLArray(np.random.default_rng(4).random((64, 256, 256))).save("sample.mla")
    image = MLArray("sample.mla")
    for patch, stored in (
        (512, [512] * 3),
        ((128, 192, 256), [128, 192, 256]),
        ("default", [192] * 3),
    ):
        image.save("patch.mla", patch_size=patch)
        assert MLArray("patch.mla").meta.blosc2.patch_size == stored
    image.save("manual.mla", chunk_size=(1, 128, 128), block_size=(1, 32, 32))
    manual = MLArray("manual.mla")
    assert (manual.chunks, manual.blocks) == ((1, 128, 128), (1, 32, 32))
    image.save("manual.mla", patch_size=None)
    assert MLArray("manual.mla").meta.blosc2.patch_size is None
