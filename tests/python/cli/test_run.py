"""Errors of the system, as the commands say them."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mlarray import MLArray
from mlarray.cli._run import describe
from mlarray.cli.main import main


def test_a_file_where_a_folder_shall_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3), "i2"), np.eye(4)), tmp_path / "in/a.nii")
    (tmp_path / "out").touch()
    for out in ("out", "out/deeper"):
        assert main(["convert", "-q", str(tmp_path / "in"), str(tmp_path / out)]) == 1
        error = capsys.readouterr().err
        assert "Errno" not in error
        assert f"'{tmp_path / out}' cannot be a folder, because it or a part" in error


def test_system_errors_have_words_and_a_way_out() -> None:
    for number, text in ((13, "do not allow it"), (17, "it exists already"), (28, "is full")):
        error = OSError(number, os.strerror(number), "some/file")
        assert describe(error).startswith("'some/file': ")
        assert text in describe(error)
        assert "Errno" not in describe(error)
    assert describe(OSError(5, "x")) == os.strerror(5)
    assert describe(OSError("text")) == "text"


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose subfolder cannot be read, whoever runs the tests."""
    (tmp_path / "locked").mkdir()
    MLArray(np.zeros(3)).save(tmp_path / "z.mla")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, os.strerror(13), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return tmp_path


def test_a_folder_that_cannot_be_read(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ls` goes on after it; what reads or writes files stops before it does a part."""
    assert main(["ls", "-r", str(locked)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "locked  error: " in lines[1]
    assert "permissions" in lines[1]
    assert "z.mla" in lines[2]
    for command in (["verify", "-r"], ["convert", "--to", ".nii", "-r"]):
        arguments = [*command, str(locked), *([str(locked / "o")] if "--to" in command else [])]
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert f"'{locked / 'locked'}': its permissions" in error
        assert "Errno" not in error
