"""Closes that fail: metadata can be mended; after an error of the file all is let go."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray._store import writers
from mlarray.errors import InvalidTypeError, InvalidValueError, MLArrayError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _spacing(meta: Meta) -> None:
    meta.spatial.spacing.append(9)  # type: ignore[union-attr]


def _extra(meta: Meta) -> None:
    meta.extra["list"] = []
    meta.extra["list"].append(threading.Lock())


def _circle(meta: Meta) -> None:
    meta.source["me"] = {}
    meta.source["me"]["me"] = meta.source["me"]


def _mend(image: MLArray) -> None:
    image.meta.extra = {}  # type: ignore[assignment]
    image.meta.source = {"patient_id": "456"}  # type: ignore[assignment]
    image.spacing = (1, 2, 3)  # looks at all metadata


BREAK = [
    pytest.param(_spacing, InvalidValueError, r"spatial\.spacing: got .*9\]", id="spacing"),
    pytest.param(_extra, InvalidTypeError, r"extra\.data\.list\[0\].*lock", id="extra"),
    pytest.param(_circle, InvalidValueError, r"source\.data\.me\.me", id="circle"),
]
breaks = pytest.mark.parametrize(("spoil", "error", "named"), BREAK)


def _edited(path: Path, spoil: Callable[[Meta], None]) -> MLArray:
    image = MLArray.open(path, mmap="r+")
    image[0] = 5
    spoil(image.meta)
    return image


def _quietly_open(path: Path) -> MLArray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return MLArray.open(path)


@breaks
def test_close_says_what_to_mend_and_stays_open(
    saved: Path, volume: Any, spoil: Any, error: Any, named: str
) -> None:
    image = _edited(saved, spoil)
    for _ in range(2):
        with pytest.raises(error, match=named) as caught:
            image.close()
        assert "discard_metadata=True" in str(caught.value)
        assert str(caught.value).count(str(saved)) == 1
        assert caught.value.path == str(saved)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (str(again), again.path) == (str(caught.value), str(saved))
    assert image.filepath == str(saved)
    # The voxels are in the file: another process sees them.
    script = "import sys, mlarray; print(mlarray.MLArray.open(sys.argv[1])[0].max())"
    seen = subprocess.run(
        [sys.executable, "-c", script, saved], capture_output=True, text=True, check=True
    )
    assert seen.stdout == "5\n"
    image[1] = 6
    _mend(image)
    image.close()
    assert image.filepath is None
    with _quietly_open(saved) as stored:
        assert stored.spacing == [1, 2, 3]
        assert stored.meta.source == {"patient_id": "456"}
        assert (stored[:2].reshape(2, -1) == [[5], [6]]).all()
        np.testing.assert_array_equal(stored[2:], volume[2:])


@breaks
def test_discarding_the_metadata(saved: Path, spoil: Any, error: Any, named: str) -> None:
    image = _edited(saved, spoil)
    with pytest.raises(error, match=named):
        image.close()
    image.close(discard_metadata=True)
    assert image.filepath is None
    with _quietly_open(saved) as stored:
        assert stored.spacing == [3.0, 0.5, 0.7]
        assert stored.meta.source == {"patient_id": "123"}
        assert (stored[0] == 5).all()


@breaks
def test_flush_and_with(saved: Path, spoil: Any, error: Any, named: str) -> None:
    def edit() -> None:
        with MLArray.open(saved, mmap="r+") as inner:
            kept.append(inner)
            inner[0] = 5
            spoil(inner.meta)
            with pytest.raises(error, match=named):
                inner.flush()
            inner[1] = 6

    kept: list[MLArray] = []
    with pytest.raises(error, match=named):
        edit()
    (image,) = kept
    assert image.filepath == str(saved)
    with pytest.warns(UserWarning, match=named), MLArray.open(saved) as reader:
        assert (reader[:2].reshape(2, -1) == [[5], [6]]).all()
    _mend(image)
    image.flush()
    with _quietly_open(saved) as reader:
        assert reader.spacing == [1, 2, 3]
    image.close()


@breaks
def test_others_of_the_process_are_warned(
    saved: Path, tmp_path: Path, spoil: Any, error: Any, named: str
) -> None:
    image = _edited(saved, spoil)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLArray(np.zeros(3)).save(tmp_path / "other.mla")  # another path is not concerned
    uses = [
        lambda: MLArray.open(saved),
        lambda: MLArray.open(saved, mmap="c"),
        lambda: MLArray.load(saved),
        lambda: MLArray(saved),
    ]
    for use in uses:
        with pytest.warns(UserWarning, match=named) as caught:
            reader = use()
        assert len(caught) == 1
        assert str(saved) in str(caught[0].message)
        assert caught[0].filename == __file__
        assert (reader[0] == 5).all()
        assert reader.spacing == [3.0, 0.5, 0.7]
        reader.close()
    # A newer writer detaches it: the metadata of the older cannot be stored any more.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        newer = MLArray.open(saved, mmap="r+")
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == 2
    assert "cannot be stored" in texts[0]
    assert "in this process already" in texts[1]
    newer.spacing = (4, 4, 4)
    newer.close()
    with pytest.warns(UserWarning, match="opened again or replaced"):
        image.close()
    with _quietly_open(saved) as stored:
        assert stored.spacing == [4, 4, 4]
        assert (stored[0] == 5).all()


def test_saving_over_it_from_elsewhere_and_from_itself(saved: Path, volume: Any) -> None:
    image = _edited(saved, _spacing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidValueError, match="spacing"):
            image.save(saved)
    with pytest.warns(UserWarning, match=r"spacing|already"):
        MLArray(volume).save(saved)
    with pytest.warns(UserWarning, match="opened again or replaced"):
        image.close()
    np.testing.assert_array_equal(MLArray(saved).to_numpy(), volume)


@breaks
def test_readers_with_metadata_that_cannot_be_stored(
    saved: Path, spoil: Any, error: Any, named: str
) -> None:
    image = MLArray.open(saved)
    spoil(image.meta)
    with pytest.warns(UserWarning, match=r"open it with 'r\+'"):
        image.close()
    assert image.filepath is None
    image = MLArray.open(saved)
    spoil(image.meta)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image.close(discard_metadata=True)


@breaks
def test_collected_with_metadata_that_cannot_be_stored(
    saved: Path, spoil: Any, error: Any, named: str
) -> None:
    image = _edited(saved, spoil)
    kept = [image]
    del image
    with pytest.warns(UserWarning, match=named) as caught:
        kept.clear()
    assert [str(saved) in str(warning.message) for warning in caught] == [True]
    assert caught[0].filename == __file__
    with _quietly_open(saved) as stored:
        assert (stored[0] == 5).all()
        assert stored.spacing == [3.0, 0.5, 0.7]
    with MLArray.open(saved, mmap="r+") as again:
        again[1] = 6


def test_decompressing_a_writer_that_cannot_be_closed(saved: Path) -> None:
    image = _edited(saved, _spacing)
    with pytest.raises(InvalidValueError, match="spacing"):
        image.decompress()
    assert (image.filepath, image.mode) == (str(saved), "a")
    _mend(image)
    image.decompress()
    assert image.filepath is None
    assert (image[0] == 5).all()
    with _quietly_open(saved) as stored:
        assert stored.spacing == [1, 2, 3]


# --- processes ----------------------------------------------------------------------------


BEGIN = """
import errno, gc, os, sys, warnings
import numpy as np
from mlarray import MLArray
from mlarray._store import writers
from mlarray.errors import FileAccessError

path = sys.argv[1]
noise = np.random.default_rng(1).integers(0, 30_000, (37, 53, 41)).astype("i2")

def edited():
    image = MLArray.open(path, mmap="r+")
    image[0] = 5
    image.flush()
    return image

def limited(more):
    import resource
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = hard if more is None else os.path.getsize(path) + more
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

def poisoned():
    image = edited()
    limited(100)
    try:
        image[...] = noise
    except FileAccessError as error:
        assert (error.errno, error.filename) == (errno.EFBIG, path), error
    else:
        raise AssertionError("wrote beyond the limit")
    limited(None)  # the disk has room again, but what was written is not known
    return image

def fails(call):
    try:
        call()
    except FileAccessError as error:
        assert (error.errno, error.filename) == (errno.EFBIG, path), error
        assert path in str(error)
    else:
        raise AssertionError("no error")
"""


def _run(path: Path, script: str, *options: str) -> tuple[str, str]:
    """What a process of its own prints, and what it says on stderr."""
    whole = BEGIN + textwrap.dedent(script)
    result = subprocess.run(
        [sys.executable, *options, "-c", whole, path],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


def test_exit_with_metadata_that_cannot_be_stored(saved: Path, tmp_path: Path) -> None:
    script = """
        sys.stored = [edited(), MLArray.create(sys.argv[1] + ".2.mla", 3, "u1")]
        sys.stored[0][1] = 6
        sys.stored[0].spacing.append(9)
        sys.stored[1][...] = 7
    """
    _, said = _run(saved, script)
    assert said.count("UserWarning") == 1
    assert "spatial.spacing" in said
    assert str(saved) in said
    assert "Traceback" not in said
    assert (MLArray(f"{saved}.2.mla")[...] == 7).all()
    with MLArray.open(saved) as stored:
        assert (stored[:2].reshape(2, -1) == [[5], [6]]).all()


posix = pytest.mark.skipif(os.name != "posix", reason="needs a limit of the size of files")

CLOSES = {
    "close": "fails(image.close)",
    "close after a metadata edit": "image.spacing = (1, 1, 1); fails(image.close)",
    "close with bad metadata": "image.spacing.append(9); fails(image.close)",
    "close with an object in the metadata": """
        image.meta.extra["list"] = []
        image.meta.extra["list"].append(object())
        fails(image.close)
    """,
    "close and discard": "fails(lambda: image.close(discard_metadata=True))",
    "flush and close": "fails(image.flush); fails(image.close)",
    "with": "fails(lambda: image.__exit__(None, None, None))",
    "decompress": "fails(image.decompress)",
}


@posix
@pytest.mark.parametrize("close", CLOSES.values(), ids=CLOSES)
def test_a_failed_write_is_said_once_more_and_then_let_go(
    saved: Path, volume: Any, close: str
) -> None:
    close = textwrap.indent(textwrap.dedent(close), " " * 8).strip()
    script = f"""
        image = poisoned()
        fails(lambda: image.__setitem__(0, 6))  # also where there is room again
        assert (image[0] == 5).all()
        with MLArray.open(path) as reader:
            assert (reader[0] == 5).all()
        {close}
        assert image.filepath is None or image._store.is_closed
        assert not list(writers._live)
        image.close()
        with MLArray.open(path, mmap="r+") as again:
            assert (again[0] == 5).all()
            again[1] = 6
        del image
        gc.collect()
    """
    assert _run(saved, script, "-W", "error") == ("", "")
    with MLArray.open(saved) as stored:
        assert (stored[:2].reshape(2, -1) == [[5], [6]]).all()
        np.testing.assert_array_equal(stored[2:], volume[2:])
        assert stored.verify().status == "verified"


@posix
@pytest.mark.parametrize("end", ["del image; gc.collect()", "sys.stored = image", "pass"])
def test_a_failed_write_that_nobody_closes_is_a_warning(saved: Path, end: str) -> None:
    _, said = _run(saved, f"image = poisoned()\n{end}")
    assert said.count("UserWarning") == 1
    assert str(saved) in said
    assert "File too large" in said
    assert "Traceback" not in said
    with MLArray.open(saved, mmap="r+") as stored:
        assert (stored[0] == 5).all()


@posix
@pytest.mark.parametrize("end", ["fails(image.close)", "sys.stored = image"])
def test_a_writer_that_replaces_a_failed_one(saved: Path, end: str) -> None:
    script = f"""
        image = poisoned()
        image.spacing = (1, 1, 1)
        newer = MLArray.open(path, mmap="r+")
        newer[1] = 6
        newer.close()
        with warnings.catch_warnings(record=True) as caught:
            {end}
        print(len(caught))
    """
    printed, said = _run(saved, script)
    assert "in this process already" in said
    if "stored" in end:
        assert "File too large" in said
    else:
        assert printed == "1\n"  # of the metadata
    with MLArray.open(saved) as stored:
        assert (stored[:2].reshape(2, -1) == [[5], [6]]).all()
        assert stored.spacing == [3.0, 0.5, 0.7]


@posix
def test_a_child_opens_what_its_parent_has_edited(saved: Path) -> None:
    script = """
        image = edited()
        image.spacing[0] = 8
        child = os.fork()
        if child == 0:
            with MLArray.open(path) as reader:
                os._exit(0 if (reader[0] == 5).all() and reader.spacing[0] == 3 else 1)
        assert os.waitpid(child, 0)[1] == 0
        image.close()
        assert MLArray(path).spacing[0] == 8
    """
    assert _run(saved, script, "-W", "error") == ("", "")


def test_nothing_is_left_of_closed_writers(saved: Path) -> None:
    image = _edited(saved, _spacing)
    with pytest.raises(MLArrayError):
        image.close()
    assert image._store in list(writers._live)
    image.close(discard_metadata=True)
    assert image._store not in list(writers._live)
