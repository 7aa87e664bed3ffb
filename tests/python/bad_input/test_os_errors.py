"""Errors of files are OSErrors with errno, strerror and filename, and say the whole message."""

from __future__ import annotations

import copy
import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray, errors
from mlarray._paths import Naming
from mlarray.convert import convert
from mlarray.errors import (
    AccessDeniedError,
    BusyError,
    CorruptionError,
    FileAccessError,
    InvalidUseError,
    MLArrayError,
    NotFoundError,
)


def _fields(error: OSError) -> tuple[int | None, str | None, str | None]:
    return error.errno, error.strerror, error.filename


def test_a_missing_file(tmp_path: Path) -> None:
    path = str(tmp_path / "missing.mla")
    with pytest.raises(FileNotFoundError) as caught:
        MLArray.open(path)
    assert type(caught.value) is NotFoundError
    assert _fields(caught.value) == (errno.ENOENT, os.strerror(errno.ENOENT), path)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"cannot open '{path}'")
    assert "check the path" in str(caught.value)


def test_a_missing_folder_and_a_file_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, code in (("missing", errno.ENOENT), ("file", errno.ENOTDIR)):
        path = str(tmp_path / folder / "a.mla")
        with pytest.raises(NotFoundError) as caught:
            MLArray(np.zeros(3)).save(path)
        assert _fields(caught.value) == (code, os.strerror(code), path)


def test_a_folder_and_links_in_a_circle(tmp_path: Path) -> None:
    folder, circle = tmp_path / "folder.mla", tmp_path / "circle.mla"
    folder.mkdir()
    circle.symlink_to(circle)
    for path, code in ((folder, errno.EISDIR), (circle, errno.ELOOP)):
        for call in (MLArray.open, MLArray(np.zeros(3)).save):
            with pytest.raises(FileAccessError) as caught:
                call(path)
            assert _fields(caught.value) == (code, os.strerror(code), str(path))


def test_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"\xff.mla")
    with pytest.raises(FileNotFoundError) as caught:
        MLArray.open(path)
    assert os.fsencode(caught.value.filename) == path


def test_a_read_only_file_is_a_permission_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    MLArray(np.zeros(3)).save(path)
    path.chmod(0o444)
    with pytest.raises(PermissionError) as caught:
        MLArray(np.zeros(3)).save(path)
    assert isinstance(caught.value, FileAccessError)
    assert _fields(caught.value) == (errno.EACCES, os.strerror(errno.EACCES), str(path))


def test_a_busy_file(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "a.mla"
    MLArray(np.zeros(3)).save(path)
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError) as caught:
            MLArray.open(path, mmap="r+")
    assert type(caught.value) is BusyError
    assert _fields(caught.value) == (
        errno.EWOULDBLOCK,
        os.strerror(errno.EWOULDBLOCK),
        str(path),
    )


def test_other_errors_have_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    path.write_bytes(b"\x9e\xa8b2frame\0")
    with pytest.raises(CorruptionError) as caught:
        MLArray.open(path)
    assert caught.value.path == str(path)
    assert str(caught.value).count(str(path)) == 1


def test_a_converter_says_errno(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    path = str(tmp_path / "missing.nii")
    with pytest.raises(FileNotFoundError) as caught:
        convert(path, tmp_path / "a.mla")
    assert _fields(caught.value) == (errno.ENOENT, os.strerror(errno.ENOENT), path)


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("text", path="a.mla"),
        BusyError("text", path="a.mla"),
        FileAccessError("text", path="a.mla", errno=errno.ENOSPC),
        FileAccessError("text"),
        AccessDeniedError("text", path="a.mla"),
        CorruptionError("text", path="a.mla"),
        MLArrayError("text"),
        NotFoundError(),
    ],
    ids=repr,
)
def test_copies_and_pickles(error: MLArrayError) -> None:
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(same) is type(error)
        assert str(same) == str(error) == "".join(error.args)
        assert (same.args, same.path) == (error.args, error.path)
        if isinstance(error, OSError):
            assert _fields(same) == _fields(error)


def test_every_class_takes_one_text() -> None:
    for name in errors.__all__:
        error = getattr(errors, name)("one text")
        assert str(error) == "one text"
        assert error.path is None


def test_naming_goes_by_the_error_and_not_by_accident() -> None:
    def named(error: MLArrayError) -> MLArrayError:
        with pytest.raises(MLArrayError) as caught, Naming("1.mla"):
            raise error
        return caught.value

    assert str(named(InvalidUseError("as in 1.mla.bak"))) == "'1.mla': as in 1.mla.bak"
    full = named(FileAccessError("disk full", errno=errno.ENOSPC))
    assert isinstance(full, OSError)
    assert str(full) == "'1.mla': disk full"
    assert _fields(full) == (errno.ENOSPC, os.strerror(errno.ENOSPC), "1.mla")
    assert str(named(InvalidUseError("'1.mla' is closed"))) == "'1.mla' is closed"
    other = NotFoundError("'2.mla': no such file", path="2.mla")
    assert named(other) is other
