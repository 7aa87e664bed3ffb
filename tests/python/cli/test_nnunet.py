"""`mlarray nnunet` and `nnunet-convert`, as far as they need no nnU-Net (tests/training)."""

from __future__ import annotations

import ast
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.cli.main import main
from mlarray.errors import InvalidValueError
from mlarray.training import LabelIndex, PatchLoader

SHAPE = (1, 20, 24, 22)


def test_the_folder_of_trainers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nnunet", "--path"]) == 0
    folder = Path(capsys.readouterr().out.rstrip("\n"))
    assert main(["nnunet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(folder)
    classes = {
        node.name
        for file in folder.glob("*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    assert set(told["trainers"]) == classes
    assert not (folder / "__init__.py").exists()  # nnU-Net imports files by their own names


@pytest.fixture
def preprocessed(tmp_path: Path) -> Path:
    """A folder as nnU-Net's, with its plans beside it."""
    plans = {
        "configurations": {
            "3d_fullres": {"data_identifier": "plans_3d", "patch_size": [16, 12, 16]},
            "3d_low": {"inherits_from": "3d_fullres", "data_identifier": "plans_low"},
            "3d_next": {"inherits_from": "3d_low"},
        }
    }
    (tmp_path / "plans.json").write_text(json.dumps(plans))
    (tmp_path / "dataset.json").write_text("{}")
    folder = tmp_path / "plans_low"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(2):
        label = np.zeros(SHAPE, np.int8)
        label[0, 3:9, 4:10, 5:12] = 1
        label[0, 4, 5, 6:9] = 2
        lists = {
            value: np.argwhere(np.isin(label, value)) for value in (1, 2, (1, 2), (-1, 0, 1, 2))
        }
        lists[3] = []
        image = random.normal(size=SHAPE).astype(np.float32)
        chunks = {"chunk_size": (1, 10, 12, 22), "block_size": (1, 5, 12, 11)}
        MLArray(image).save(folder / f"c{number}.b2nd", **chunks)
        MLArray(label).save(folder / f"c{number}_seg.b2nd", **chunks)
        (folder / f"c{number}.pkl").write_bytes(pickle.dumps({"class_locations": lists}))
    return folder


def test_voxels_stay_and_the_lists_are_kept(preprocessed: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    assert main(["nnunet-convert", "-q", "-j", "2", str(preprocessed), str(out)]) == 0
    names = sorted(file.name for file in preprocessed.iterdir())
    assert sorted(file.name for file in out.iterdir()) == names
    for name in names:
        if name.endswith(".pkl"):
            assert (out / name).read_bytes() == (preprocessed / name).read_bytes()
            continue
        with MLArray.open(out / name) as new, MLArray.open(preprocessed / name) as old:
            assert new.dtype == old.dtype
            assert new.blocks != old.blocks
            np.testing.assert_array_equal(np.asarray(new), np.asarray(old))
    index = LabelIndex.of(out / "c1_seg.b2nd")
    assert index is not None
    assert index == LabelIndex.from_nnunet(out / "c1.pkl", SHAPE)
    drawn = []
    for folder in (preprocessed, out):
        if folder == out:
            for listed in out.glob("*.pkl"):
                listed.write_bytes(b"nobody reads this")
        with PatchLoader.from_folder(folder, patch_size=8, samples_per_epoch=40) as loader:
            drawn.append([batch["box"].tolist() for batch in loader])
    assert drawn[0] == drawn[1]


def test_an_index_of_lists_is_kept(preprocessed: Path) -> None:
    path = preprocessed / "c0_seg.b2nd"
    index = LabelIndex.from_nnunet(preprocessed / "c0.pkl", SHAPE)
    assert index.keep_in(path)
    assert not index.keep_in(path)
    assert LabelIndex.of(path) == index
    other = LabelIndex.from_lists((2, 2), {1: [(0, 1)]})
    with pytest.raises(InvalidValueError, match=r"shape \(1, 20, 24, 22\).*\(2, 2\)"):
        other.keep_in(path)
    with MLArray.open(path, "r+") as label:
        label[0, 0, 0, 0] = 2
    assert LabelIndex.of(path) is None


def test_what_it_says(preprocessed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nnunet-convert", str(preprocessed)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 converted; ")
    assert "[2/2]" in err
    assert main(["nnunet-convert", "--json", "-q", str(preprocessed)]) == 0
    assert [one["written"] for one in json.loads(capsys.readouterr().out)] == [False, False]
    assert main(["nnunet-convert", "-q", "--again", "--patch", "16", str(preprocessed)]) == 0
    assert capsys.readouterr().out.startswith("2 converted; ")


def test_a_case_that_fails_stays(
    preprocessed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = preprocessed / "c0.b2nd"
    damaged = path.read_bytes()[:-200]
    path.write_bytes(damaged)
    (preprocessed / "c1.pkl").write_bytes(b"no pickle")
    assert main(["nnunet-convert", "-q", str(preprocessed)]) == 1
    out, err = capsys.readouterr()
    assert out == "2 failed\n"
    assert "c0.b2nd" in err
    assert "c1.pkl" in err
    assert path.read_bytes() == damaged
    assert {file.suffix for file in preprocessed.iterdir()} == {".b2nd", ".pkl"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "there is no folder"),
        (["a.txt"], "no files ending in _seg.b2nd"),
        (["a.npz"], "holds .npz files"),
        (["a_seg.b2nd", "a.pkl"], "has no 'a.b2nd'"),
        (["a_seg.b2nd", "a.b2nd", "a.pkl"], "give --patch"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, files: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    if files:
        folder.mkdir()
    for name in files:
        (folder / name).write_bytes(b"")
    assert main(["nnunet-convert", str(folder)]) == 1
    assert said in capsys.readouterr().err


def test_folders_around(
    preprocessed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nnunet-convert", str(tmp_path)]) == 1
    assert "name one of them: plans_low" in capsys.readouterr().err
    assert main(["nnunet-convert", str(preprocessed), str(tmp_path)]) == 1
    assert "has other files, such as 'dataset.json'" in capsys.readouterr().err
