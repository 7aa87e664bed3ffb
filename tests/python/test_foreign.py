"""Paths of other formats: the error says what to do, and that it works."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

import mlarray
from mlarray import MLArray
from mlarray.errors import InvalidUseError


def message(path: Path | str, writes: bool = False) -> str:
    with pytest.raises(InvalidUseError) as caught:
        MLArray(np.zeros(3)).save(path) if writes else MLArray.open(path)
    return str(caught.value)


def test_a_scan_is_converted_and_not_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3, 4), "i2"), np.eye(4)), "my scan.nii.gz")
    assert message("my scan.nii.gz") == (
        "'my scan.nii.gz' is a NIfTI file; convert it: mlarray convert 'my scan.nii.gz' 'my "
        "scan.mla', or in Python mlarray.convert.convert('my scan.nii.gz', 'my scan.mla')"
    )
    mlarray.convert.convert("my scan.nii.gz", "my scan.mla")
    assert MLArray.open("my scan.mla").shape == (2, 3, 4)
    for call in (MLArray.load, MLArray, mlarray.repack):
        with pytest.raises(InvalidUseError, match="convert it: mlarray convert"):
            call("my scan.nii.gz")
    assert "an NRRD file; convert it" in message("a.NHDR")


def test_saving_names_the_step_before(tmp_path: Path) -> None:
    path = str(tmp_path / "out.nii.gz")
    ours = str(tmp_path / "out.mla")
    assert f"save {ours!r} and convert it: mlarray convert {ours} {path}" in message(path, True)
    with pytest.raises(InvalidUseError, match=r"save '.*' and convert it"):
        MLArray.create(path, (2, 2), "u1")


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("a.npy", "numpy.load, then save that: MLArray(array).save('a.mla')"),
        ("a.dcm", "a DICOM library"),
        ("a.h5", "h5py"),
        ("a.txt", "does not end in .mla or .b2nd; rename it"),
    ],
)
def test_other_formats(name: str, way_out: str) -> None:
    assert way_out in message(name)
    assert "rename it" in message(name, True)


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    assert message(folder).endswith("is a folder; give a file")
    assert "name a file in it" in message(folder, True)
    (folder / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(20))
    assert "is a folder of DICOM files" in message(folder)
    assert f"MLArray(array).save({str(folder) + '.mla'!r})" in message(folder)
    (folder / "a.nii").touch()
    assert f"convert them: mlarray convert {folder} {folder}-mla" in message(folder)
    (folder / "b.mla").touch()
    assert message(folder).endswith(f"give a file, such as {str(folder / 'b.mla')!r}")
    zarr = tmp_path / "a.zarr"
    zarr.mkdir()
    (zarr / "zarr.json").touch()
    assert "of a Zarr array; read it with the package zarr" in message(zarr)
