"""`mlarray nnunet-convert`: nnU-Net finds the same cases, and our loader the same batches."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import BOTH, LABELS, Maker, shells, write_case
from nnunetv2.training.dataloading.nnunet_dataset import (
    infer_dataset_class,
    nnUNetDatasetBlosc2,
)

from mlarray import MLArray
from mlarray.cli.main import main
from mlarray.training import LabelIndex

FOLDER = "nnUNetPlans_3d_fullres"


def same_cases(one: Path, other: Path) -> None:
    """To nnU-Net, cases of two folders are equal."""
    kinds = [infer_dataset_class(str(folder)) for folder in (one, other)]
    assert kinds == [nnUNetDatasetBlosc2] * 2
    a, b = (nnUNetDatasetBlosc2(str(folder)) for folder in (one, other))
    assert sorted(a.identifiers) == sorted(b.identifiers)
    for name in a.identifiers:
        assert (one / f"{name}.pkl").read_bytes() == (other / f"{name}.pkl").read_bytes()
        for ours, theirs in zip(a.load_case(name)[:2], b.load_case(name)[:2], strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape
            np.testing.assert_array_equal(ours[:], theirs[:])
            np.testing.assert_array_equal(ours[:, 3:9, 2:20, 5:], theirs[:, 3:9, 2:20, 5:])


def first_batches(trainer: Any) -> list[Any]:
    trainer.mlarray_seed = 7
    found = []
    for batches in trainer.get_dataloaders():
        for _ in range(6):
            batch = next(batches)
            found += [batch["keys"], batch["data"].numpy(), *batch["target"]]
        batches.close()
    return found


@pytest.mark.parametrize("labels", [LABELS, BOTH], ids=["labels", "regions, ignored"])
@pytest.mark.parametrize("in_place", [True, False])
def test_the_same_to_all(
    make_trainer: Maker, base: Path, labels: dict[str, Any], in_place: bool
) -> None:
    trainer = make_trainer((16, 12, 20), labels=labels, channels=2, batch=4)
    folder, before = base / FOLDER, base / "before"
    shutil.copytree(folder, before)
    batches = first_batches(trainer)
    shutil.rmtree(base / "mlarray_label_index")
    if in_place:
        assert main(["nnunet-convert", "-q", str(folder)]) == 0
    else:
        assert main(["nnunet-convert", "-q", str(folder), str(base / "new"), "-j", "2"]) == 0
        same_cases(before, folder)
        shutil.rmtree(folder)
        (base / "new").rename(folder)
    same_cases(before, folder)
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        file.name for file in before.iterdir()
    )
    index = LabelIndex.of(folder / "case_0_seg.b2nd")
    assert index == LabelIndex.from_nnunet(folder / "case_0.pkl", index.shape)
    for listed in folder.glob("*.pkl"):
        listed.write_bytes(b"nobody reads this")
    for ours, theirs in zip(first_batches(trainer), batches, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not (base / "mlarray_label_index").exists()


def test_layout_and_patch(make_trainer: Maker, base: Path) -> None:
    shape = (60, 150, 140)
    make_trainer((20, 64), [shape])
    path = base / FOLDER / "case_0.b2nd"
    assert main(["nnunet-convert", "-q", str(base / FOLDER)]) == 0
    with MLArray.open(path) as image:
        assert image.blocks[1] <= 2  # for slices
    assert main(["nnunet-convert", "-q", "--patch", "64", str(base / FOLDER)]) == 0
    with MLArray.open(path) as image:
        assert image.blocks[0] == 1
        assert min(image.blocks[1:]) >= 8


def test_what_it_says(
    make_trainer: Maker, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trainer((16, 12, 20))
    capsys.readouterr()
    folder = base / FOLDER
    assert main(["nnunet-convert", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("3 converted; ")
    assert "[3/3]" in err
    assert main(["nnunet-convert", str(folder), "--json"]) == 0
    out, _ = capsys.readouterr()
    assert [one["written"] for one in json.loads(out)] == [False] * 3
    assert main(["nnunet-convert", str(folder), "--again", "--preset", "small"]) == 0
    assert capsys.readouterr().out.startswith("3 converted; ")
    # The lists are others: the index must follow.
    lists = pickle.loads((folder / "case_0.pkl").read_bytes())
    lists["class_locations"][2] = lists["class_locations"][2][:5]
    (folder / "case_0.pkl").write_bytes(pickle.dumps(lists))
    assert main(["nnunet-convert", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("1 converted, 2 converted before; ")
    found = LabelIndex.of(folder / "case_0_seg.b2nd")
    assert len(found.voxels(2)) == 5


def test_a_damaged_case_stays(
    make_trainer: Maker, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trainer((16, 12, 20))
    capsys.readouterr()
    folder = base / FOLDER
    path = folder / "case_1.b2nd"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2 :] = bytes(len(damaged) - len(damaged) // 2)
    path.write_bytes(damaged)
    assert main(["nnunet-convert", "-q", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("2 converted, 1 failed")
    assert "case_1.b2nd" in err
    assert path.read_bytes() == bytes(damaged)
    assert {file.suffix for file in folder.iterdir()} == {".b2nd", ".pkl"}


def test_folders_around(
    make_trainer: Maker, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trainer((16, 12, 20))
    assert main(["nnunet-convert", str(base)]) == 1
    assert f"name one of them: {FOLDER}" in capsys.readouterr().err
    assert main(["nnunet-convert", str(base / FOLDER), str(base)]) == 1
    assert "has other files, such as 'nnUNetPlans.json'" in capsys.readouterr().err
    left = base / FOLDER / ".mlarray-left"
    left.mkdir()
    (left / "half.b2nd").write_bytes(b"half")
    infer_dataset_class(str(base / FOLDER))
    write_case(
        base / FOLDER,
        "case_9",
        np.zeros((1, 20, 20, 20), np.float32),
        shells((20, 20, 20), 1),
        (16, 12, 20),
        LABELS,
    )
    assert main(["nnunet-convert", "-q", str(base / FOLDER)]) == 0
