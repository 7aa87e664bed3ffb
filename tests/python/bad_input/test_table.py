"""Bad input, a row each: class of the error, what its text says, and that nothing is written.

A row lists what the text must contain besides the path: value, limit and way out.
"""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import (
    AccessDeniedError,
    ClosedError,
    CorruptionError,
    FileAccessError,
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    LayoutError,
    MLArrayError,
    NotFoundError,
    ReadOnlyError,
    UnsupportedError,
)

PLANE = np.zeros((4, 4), np.int16)


class Row(NamedTuple):
    """One kind of bad input."""

    name: str
    error: type[MLArrayError]
    builtin: type[Exception]
    says: tuple[str, ...]
    use: Callable[[Path], Any] | None = None


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every name below a folder, with the bytes of regular files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refuses(row: Row, folder: Path, call: Callable[[], Any], path: str | None) -> None:
    before = contents(folder)
    with pytest.raises(row.error) as caught:
        call()
    assert type(caught.value) is row.error
    assert isinstance(caught.value, row.builtin)
    text = str(caught.value)
    for part in (*row.says, *([] if path is None else [path])):
        assert part in text, text
    if isinstance(caught.value, OSError):
        assert caught.value.errno in errno.errorcode, text
        assert caught.value.strerror == os.strerror(caught.value.errno)
        assert path in (None, caught.value.filename)
    assert contents(folder) == before


def ids(rows: list[Row]) -> list[Any]:
    return [pytest.param(row, id=row.name) for row in rows]


# --- what a path leads to ------------------------------------------------------------------

FOREIGN: dict[str, tuple[bytes, str]] = {
    "gzip": (gzip.compress(os.urandom(200)), "gzip"),
    "nifti": ((348).to_bytes(4, "little") + bytes(340) + b"n+1\0" + bytes(99), "NIfTI"),
    "nifti-2": ((540).to_bytes(4, "little") + b"n+2\0\r\n\x1a\n" + bytes(540), "NIfTI-2"),
    "nrrd": (b"NRRD0004\n# x\n" + bytes(99), "NRRD"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
    "npy": (b"\x93NUMPY\1\0" + bytes(99), "numpy.load"),
    "npz": (b"PK\3\4" + bytes(99), ".npz"),
    "dicom": (bytes(128) + b"DICM" + bytes(99), "DICOM"),
    "zarr": (b'{"zarr_format": 3}', "Zarr"),
    "tiff": (b"II*\0" + bytes(99), "TIFF"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
}


def _file(data: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(data)


def _cut(keep: int) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        MLArray(PLANE).save(path)
        path.write_bytes(path.read_bytes()[:keep])

    return make


def _renamed(path: Path) -> None:
    MLArray(PLANE).save(path.with_suffix(".b2nd"))
    path.with_suffix(".b2nd").rename(path)


READING = [
    Row("missing", NotFoundError, FileNotFoundError, ("No such file", "check the path")),
    Row("folder", FileAccessError, OSError, ("a folder", "name a file"), Path.mkdir),
    Row("empty", CorruptionError, RuntimeError, ("0 bytes", "87", "restore"), _file(b"")),
    Row("cut", CorruptionError, RuntimeError, ("truncated", "has 200", "restore"), _cut(200)),
    Row("cut-header", CorruptionError, RuntimeError, ("truncated", "50", "87"), _cut(50)),
    Row("junk", CorruptionError, RuntimeError, ("9 bytes", "Blosc2"), _file(b"some text")),
    Row("b2nd", UnsupportedError, RuntimeError, ("metadata", "rename it to .b2nd"), _renamed),
    Row("fifo", FileAccessError, OSError, ("not a regular file", "name a file"), os.mkfifo),
    Row(
        "dangling",
        NotFoundError,
        FileNotFoundError,
        ("link to 'gone'", "remove the link"),
        lambda path: path.symlink_to("gone"),
    ),
    Row(
        "circle",
        FileAccessError,
        RuntimeError,
        ("circle", "remove the link"),
        lambda path: path.symlink_to(path.name),
    ),
    Row(
        "device",
        FileAccessError,
        OSError,
        ("not a regular file",),
        lambda path: path.symlink_to("/dev/null"),
    ),
    *(
        Row(name, UnsupportedError, RuntimeError, ("not an array file", text), _file(data))
        for name, (data, text) in FOREIGN.items()
    ),
]
READERS: dict[str, Callable[[Any], Any]] = {
    "open": MLArray.open,
    "r+": lambda path: MLArray.open(path, mmap="r+"),
    "c": lambda path: MLArray.open(path, mmap="c"),
    "unmapped": lambda path: MLArray.open(path, mmap=None),
    "load": MLArray.load,
    "path": MLArray,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("row", ids(READING))
def test_what_cannot_be_read(tmp_path: Path, row: Row, reader: str) -> None:
    path = tmp_path / "image.mla"
    if row.use is not None:
        row.use(path)
    refuses(row, tmp_path, lambda: READERS[reader](path), str(path))


# --- paths that are none -------------------------------------------------------------------

PATHS: list[tuple[Any, Row]] = [
    ("a.txt", Row("suffix", InvalidUseError, RuntimeError, ("a.txt", ".mla", "rename it"))),
    ("", Row("nothing", InvalidUseError, RuntimeError, ("''", ".mla or .b2nd"))),
    ("a\0.mla", Row("zero", InvalidValueError, ValueError, ("zero byte", "a\\x00.mla"))),
    (5, Row("number", InvalidTypeError, TypeError, ("5", "int", "pathlib.Path"))),
    ("n" * 300 + ".mla", Row("long", FileAccessError, OSError, ("too long", "255"))),
]
WRITERS: dict[str, Callable[[Any], Any]] = {
    "save": lambda path: MLArray(PLANE).save(path),
    "create": lambda path: MLArray.create(path, (4, 4), "int16"),
    "w+": lambda path: MLArray.open(path, shape=(4, 4), dtype="int16", mmap="w+"),
}


@pytest.mark.parametrize("entry", ["open", "load", *WRITERS])
@pytest.mark.parametrize(("path", "row"), [pytest.param(*row, id=row[1].name) for row in PATHS])
def test_what_is_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Any, row: Row, entry: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refuses(row, tmp_path, lambda: {**READERS, **WRITERS}[entry](path), None)


@pytest.mark.parametrize("url", ["https://example.org/a.mla", "s3://bucket/a.mla"])
def test_a_url(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    row = Row("url", NotFoundError, FileNotFoundError, ("is a URL", "download it first"))
    for call in (MLArray, MLArray.open, MLArray.load, MLArray(PLANE).save):
        refuses(row, tmp_path, lambda call=call: call(url), url)  # type: ignore[misc]
    refuses(row, tmp_path, lambda: MLArray.create(url, (4, 4), "i2"), url)
    folder = tmp_path / url.partition("/")[0] / url.split("/")[2]
    folder.mkdir(parents=True)  # a file may be called so, too
    MLArray(PLANE).save(folder / "a.mla")
    assert MLArray(url).shape == (4, 4)


@pytest.mark.parametrize(
    "name", ["a b.mla", "ä\u4e2d'\".mla", "-x.mla", b"\xff\xfe.mla", "\n.mla"]
)
def test_odd_paths_work(tmp_path: Path, name: str | bytes) -> None:
    for path in (
        os.path.join(os.fsencode(tmp_path), os.fsencode(name)),
        tmp_path / os.fsdecode(name),
    ):
        MLArray(PLANE).save(path)
        assert MLArray(path).shape == MLArray.load(path).shape == (4, 4)
        with MLArray.open(path, mmap="r+") as image:
            image[0] = 1
    assert os.listdir(os.fsencode(tmp_path)) == [os.fsencode(name)]


# --- where nothing can be written ----------------------------------------------------------


def _read_only(path: Path) -> None:
    MLArray(PLANE).save(path)
    path.chmod(0o444)


WRITING = [
    Row("folder", FileAccessError, OSError, ("a folder", "name a file"), Path.mkdir),
    Row("fifo", FileAccessError, OSError, ("not a regular file", "name another"), os.mkfifo),
    Row(
        "read-only",
        AccessDeniedError,
        PermissionError,
        ("read-only", "make it writable"),
        _read_only,
    ),
    Row(
        "circle",
        FileAccessError,
        OSError,
        ("circle", "remove the link"),
        lambda path: path.symlink_to(path.name),
    ),
]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("row", ids(WRITING))
def test_what_cannot_be_written(tmp_path: Path, row: Row, writer: str) -> None:
    path = tmp_path / "image.mla"
    assert row.use is not None
    row.use(path)
    refuses(row, tmp_path, lambda: WRITERS[writer](path), str(path))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_missing_folder(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "gone" / "image.mla"
    row = Row("", NotFoundError, FileNotFoundError, ("does not exist", "make the folder"))
    refuses(row, tmp_path, lambda: WRITERS[writer](path), str(path))


def test_editing_a_read_only_file(tmp_path: Path) -> None:
    path = tmp_path / "image.mla"
    _read_only(path)
    row = Row("", AccessDeniedError, PermissionError, ("read-only", "open it for reading"))
    refuses(row, tmp_path, lambda: MLArray.open(path, mmap="r+"), str(path))


# --- arguments -----------------------------------------------------------------------------

SAVING: list[tuple[dict[str, Any], Row]] = [
    (
        {"patch_size": 2, "chunk_size": 2, "block_size": 2},
        Row("both", LayoutError, RuntimeError, ("patch_size", "either")),
    ),
    ({"chunk_size": 2}, Row("chunk", LayoutError, RuntimeError, ("block_size", "give both"))),
    ({"block_size": 2}, Row("block", LayoutError, RuntimeError, ("chunk_size", "give both"))),
    (
        {"chunk_size": 2, "block_size": 3},
        Row("block>chunk", LayoutError, ValueError, ("(3, 3)", "(2, 2)", "whole blocks")),
    ),
    (
        {"chunk_size": (2, 2, 2), "block_size": 2},
        Row("lengths", LayoutError, ValueError, ("(2, 2, 2)", "2 axes", "give one")),
    ),
    (
        {"patch_size": (1, 2, 3)},
        Row("patch-lengths", LayoutError, RuntimeError, ("(1, 2, 3)", "2 axes", "give one")),
    ),
    ({"patch_size": 0}, Row("patch-0", LayoutError, ValueError, ("(0,)", "below 1", "use 1"))),
    ({"patch_size": 1.5}, Row("patch-float", InvalidTypeError, TypeError, ("1.5", "give"))),
    (
        {"patch_size": 2**70},
        Row("patch-64", UnsupportedError, RuntimeError, (str(2**70), "2^63", "smaller")),
    ),
    (
        {"chunk_size": 2**70, "block_size": 1},
        Row("chunk-64", UnsupportedError, RuntimeError, ("2^63 - 1", "smaller")),
    ),
    (
        {"chunk_size": 2**40, "block_size": 2**40},
        Row("chunk-large", UnsupportedError, RuntimeError, ("536866816", "smaller")),
    ),
    (
        {"metadata_format": "new"},
        Row("format", InvalidUseError, RuntimeError, ("'new'", "'current'")),
    ),
    (
        {"num_threads": 0},
        Row("threads", InvalidValueError, ValueError, ("0", "below 1", "leave it out")),
    ),
    (
        {"num_threads": 2**40},
        Row("threads-64", InvalidValueError, ValueError, (str(2**40), "leave it out")),
    ),
    (
        {"num_threads": "a"},
        Row("threads-type", InvalidTypeError, TypeError, ("'a'", "leave it out")),
    ),
    (
        {"cparams": {"codec": "x"}},
        Row("codec", InvalidValueError, ValueError, ("'x'", "zstd")),
    ),
    (
        {"cparams": {"codec": 99}},
        Row("codec-99", InvalidValueError, ValueError, ("99", "ZSTD (5)")),
    ),
    (
        {"cparams": {"codec": 2**70}},
        Row("codec-64", InvalidValueError, ValueError, (str(2**70), "255")),
    ),
    ({"cparams": {"clevel": 10}}, Row("level", InvalidValueError, ValueError, ("10", "to 9"))),
    (
        {"cparams": {"filters": 5}},
        Row("filters", InvalidTypeError, TypeError, ("5", "give up to 6")),
    ),
    (
        {"cparams": {"filters": [0] * 7}},
        Row("filters-7", InvalidValueError, ValueError, ("7 entries", "at most 6")),
    ),
    ({"cparams": {"y": 1}}, Row("key", InvalidValueError, ValueError, ("'y'", "known are"))),
    ({"cparams": 5}, Row("cparams", InvalidTypeError, TypeError, ("5", "give a dict"))),
]


@pytest.mark.parametrize("writer", ["save", "create", "w+"])
@pytest.mark.parametrize(
    ("options", "row"), [pytest.param(*case, id=case[1].name) for case in SAVING]
)
def test_options_of_writing(
    tmp_path: Path, options: dict[str, Any], row: Row, writer: str
) -> None:
    path = tmp_path / "image.mla"
    if writer == "w+" and "metadata_format" in options:
        row = Row("", TypeError, TypeError, ("metadata_format",))  # type: ignore[arg-type]
        refuses(row, tmp_path, lambda: MLArray.open(path, **options), None)
        return
    calls: dict[str, Callable[[], Any]] = {
        "save": lambda: MLArray(PLANE).save(path, **options),
        "create": lambda: MLArray.create(path, (4, 4), "int16", **options),
        "w+": lambda: MLArray.open(path, mmap="w+", shape=(4, 4), dtype="i2", **options),
    }
    refuses(row, tmp_path, calls[writer], str(path))


CREATING: list[tuple[Any, Any, Row]] = [
    ((2,), None, Row("no-dtype", InvalidUseError, RuntimeError, ("needs dtype", "'r+'"))),
    (None, "u1", Row("no-shape", InvalidUseError, RuntimeError, ("needs shape", "'r+'"))),
    ((2,), "nonsense", Row("dtype", InvalidTypeError, TypeError, ("'nonsense'", "'int16'"))),
    ((2,), "O", Row("objects", InvalidTypeError, TypeError, ("object", "convert"))),
    ((2,), "V0", Row("0-bytes", UnsupportedError, RuntimeError, ("0 bytes",))),
    ((-1,), "u1", Row("negative", InvalidValueError, ValueError, ("(-1,)", "0 or more"))),
    ("ab", "u1", Row("text", InvalidTypeError, TypeError, ("'ab'", "give one int"))),
    ((2**63,), "u1", Row("64-bits", UnsupportedError, RuntimeError, (str(2**63), "2^63 - 1"))),
    ((2**62, 4), "u1", Row("product", UnsupportedError, RuntimeError, ("2^63 - 1", "split"))),
    ((1,) * 17, "u1", Row("17-axes", UnsupportedError, RuntimeError, ("17", "16", "merge"))),
]


@pytest.mark.parametrize("writer", ["create", "w+"])
@pytest.mark.parametrize(
    ("shape", "dtype", "row"), [pytest.param(*case, id=case[2].name) for case in CREATING]
)
def test_shapes_and_dtypes(
    tmp_path: Path, shape: Any, dtype: Any, row: Row, writer: str
) -> None:
    path = tmp_path / "image.mla"
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: MLArray.create(path, shape, dtype),
        "w+": lambda: MLArray.open(path, mmap="w+", shape=shape, dtype=dtype),
    }
    refuses(row, tmp_path, calls[writer], str(path))


OPENING: list[tuple[dict[str, Any], Row]] = [
    (
        {"mode": "q"},
        Row("mode", InvalidUseError, RuntimeError, ("'q'", "'r+'", "leave it out")),
    ),
    (
        {"mmap": "q"},
        Row("mmap", InvalidUseError, RuntimeError, ("'q'", "'w+'", "leave it out")),
    ),
    (
        {"mode": "r", "mmap": "w+"},
        Row("two", InvalidUseError, RuntimeError, ("contradict", "only one")),
    ),
    ({"shape": (2,)}, Row("shape", InvalidUseError, RuntimeError, ("shape", "'w+'", "'r'"))),
    ({"dparams": {"x": 1}}, Row("dparams", InvalidValueError, ValueError, ("'x'", "nthreads"))),
]


@pytest.mark.parametrize(
    ("options", "row"), [pytest.param(*case, id=case[1].name) for case in OPENING]
)
def test_options_of_opening(saved: Path, options: dict[str, Any], row: Row) -> None:
    refuses(row, saved.parent, lambda: MLArray.open(saved, **options), str(saved))


GEOMETRY: list[tuple[str, Any, Row]] = [
    (
        "spacing",
        (1,),
        Row("spacing", InvalidValueError, ValueError, ("[1]", "expected length 2")),
    ),
    (
        "origin",
        (1, 2, 3),
        Row("origin", InvalidValueError, ValueError, ("[1,2,3]", "length 2")),
    ),
    ("direction", np.eye(3), Row("direction", InvalidValueError, ValueError, ("length 2",))),
    ("affine", np.eye(2), Row("affine", InvalidValueError, ValueError, ("length 3",))),
    ("spacing", "ab", Row("text", InvalidTypeError, TypeError, ("'ab'", "list of numbers"))),
    ("meta", 5, Row("meta", InvalidValueError, ValueError, ("int", "a dict or a Meta"))),
    ("meta", {"a": {1}}, Row("set", InvalidTypeError, TypeError, ("source.a", "set", "use"))),
]


@pytest.mark.parametrize(
    ("name", "value", "row"), [pytest.param(*case, id=case[2].name) for case in GEOMETRY]
)
def test_metadata(tmp_path: Path, name: str, value: Any, row: Row) -> None:
    refuses(row, tmp_path, lambda: MLArray(PLANE, **{name: value}), None)
    path = tmp_path / "image.mla"
    MLArray(PLANE, spacing=None).save(path)
    for image in (MLArray(PLANE), MLArray.open(path), MLArray.open(path, mmap="r+")):
        refuses(row, tmp_path, lambda image=image: setattr(image, name, value), None)
        image.close()


LABELS: list[tuple[dict[str, Any], Row]] = [
    (
        {"axis_labels": ["spatial"]},
        Row("count", LayoutError, RuntimeError, ("1 entries", "2 axes")),
    ),
    (
        {"axis_labels": "spatial"},
        Row("text", InvalidTypeError, TypeError, ("'spatial'", "list")),
    ),
    ({"axis_labels": 5}, Row("number", InvalidTypeError, TypeError, ("5", "list"))),
    ({"axis_labels": [1, 2]}, Row("items", InvalidTypeError, TypeError, ("axis_labels[0]",))),
    ({"channel_axis": 5}, Row("axis", InvalidValueError, ValueError, ("5", "-2 to 1"))),
    ({"channel_axis": "a"}, Row("axis-type", InvalidTypeError, TypeError, ("'a'", "int"))),
]


@pytest.mark.parametrize(
    ("options", "row"), [pytest.param(*case, id=case[1].name) for case in LABELS]
)
def test_labels(tmp_path: Path, options: dict[str, Any], row: Row) -> None:
    path = tmp_path / "image.mla"
    refuses(row, tmp_path, lambda: MLArray(PLANE, **options), None)
    create = lambda: MLArray.create(path, (4, 4), "u1", **options)  # noqa: E731
    refuses(row, tmp_path, create, str(path))


def test_other_arguments_of_the_constructor(tmp_path: Path) -> None:
    row = Row("", InvalidTypeError, TypeError, ("copy=5", "MLArray"))
    refuses(row, tmp_path, lambda: MLArray(PLANE, copy=5), None)  # type: ignore[arg-type]
    objects = Row("", InvalidTypeError, TypeError, ("object", "convert"))
    for array in (np.array([{}]), np.zeros(2, [("a", "O")])):
        refuses(objects, tmp_path, lambda array=array: MLArray(array), None)
    nothing = Row("", InvalidTypeError, TypeError, ("list", "give a NumPy array"))
    refuses(nothing, tmp_path, lambda: MLArray([1, 2]), None)


# --- handles -------------------------------------------------------------------------------


def test_writing_in_mode_r(saved: Path) -> None:
    row = Row("", ReadOnlyError, ValueError, ("mode 'r'", "'r+'"))
    with MLArray.open(saved) as image:
        refuses(row, saved.parent, lambda: image.__setitem__(0, 1), str(saved))


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_use_after_close(saved: Path, mode: Any) -> None:
    image = MLArray.open(saved, mmap=mode)
    image.close()
    row = Row("", ClosedError, TypeError, ("closed", "open it again"))
    uses: list[Callable[[], Any]] = [
        lambda: image[0],
        lambda: image.__setitem__(0, 1),
        image.to_numpy,
        lambda: image.meta,
        lambda: image.save(saved.with_name("b.mla")),
    ]
    for use in uses:
        refuses(row, saved.parent, use, str(saved))
