"""What a power cut may do to a file is said by name, and reaches the core as it was said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlarray
from mlarray import MLArray, _core
from mlarray.cli.main import main
from mlarray.errors import InvalidUseError

if TYPE_CHECKING:
    from pathlib import Path

VOXELS = np.arange(64, dtype="i2").reshape(4, 4, 4)
LEVELS = ("none", "ordered", "durable")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The levels that the core was asked for, in the order of the calls."""
    seen: list[str] = []
    options, array = _core.SaveOptions, _core.Array

    def save_options(*, level: _core.CommitLevel, **others: Any) -> _core.SaveOptions:
        seen.append(f"save {level.name}")
        return options(level=level, **others)

    def opened(
        path: str, mode: str, mapped: bool, threads: int, verify: Any, level: _core.CommitLevel
    ) -> _core.Array:
        seen.append(f"{mode} {level.name}")
        return array.open(path, mode, mapped, threads, verify, level)

    monkeypatch.setattr(_core, "SaveOptions", save_options)
    names = ("load", "create", "in_memory", "save_voxels")
    others = {name: getattr(array, name) for name in names}
    monkeypatch.setattr(_core, "Array", SimpleNamespace(open=opened, **others))
    return seen


class _Flushed:
    """An array of the core that remembers how it was flushed."""

    def __init__(self, core: Any) -> None:
        self.core, self.levels = core, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.core, name)

    def flush(self, level: _core.CommitLevel | None = None) -> None:
        self.levels.append(None if level is None else level.name)
        self.core.flush(level)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_by_name(tmp_path: Path, asked: list[str], level: Any) -> None:
    path = tmp_path / "a.mla"
    MLArray(VOXELS).save(path, level=level)
    with MLArray.open(path, mmap="r+", level=level) as image:
        image[0] = 5
        image.save(tmp_path / "b.mla", level=level)
    mlarray.repack(path, level=level)
    with MLArray.create(tmp_path / "c.mla", (3, 4), "u1", level=level) as image:
        image[0] = 5
    with MLArray.open(
        tmp_path / "d.mla", shape=(3,), dtype="u1", mmap="w+", level=level
    ) as image:
        image[0] = 5
    # `repack` itself edits nothing that its writer would commit.
    calls = ["save", "r+", "save", "r+", "save", "save", "save"]
    expected = [f"{call} {level}" for call in calls]
    expected[3] = "r+ ordered"
    assert asked == expected
    assert (MLArray(path)[0] == 5).all()
    assert (MLArray(path)[1:] == VOXELS[1:]).all()


def test_ordered_where_nothing_is_said_and_durable_as_a_name(
    tmp_path: Path, asked: list[str]
) -> None:
    path = tmp_path / "a.mla"
    image = MLArray(VOXELS)
    image.save(path)
    image.save(path, durable=False)
    image.save(path, durable=False, level="none")
    image.save(path, durable=True)
    image.save(path, durable=True, level="durable")
    mlarray.repack(path, durable=True)
    MLArray.open(path, mmap="r+").close()
    MLArray.create(path, (3,), "u1").close()
    assert asked == [
        "save ordered",
        "save ordered",
        "save none",
        "save durable",
        "save durable",
        "r+ ordered",
        "save durable",
        "r+ ordered",
        "save ordered",
    ]


def test_flush_at_a_level_or_at_that_of_the_writer(saved: Path) -> None:
    with MLArray.open(saved, mmap="r+", level="none") as image:
        spy: Any = _Flushed(image._store.core)
        image._store.core = spy
        for number, options in enumerate(
            [{}, {"durable": True}, *({"level": level} for level in LEVELS), {"durable": False}]
        ):
            image[0] = number
            image.meta.source["number"] = number
            image.flush(**options)  # type: ignore[arg-type]
            with MLArray.open(saved) as reader:
                assert (reader[0] == number).all()
                assert reader.meta.source["number"] == number
        image.flush(True)
        assert spy.levels == [None, "durable", *LEVELS, None, "durable"]
    with pytest.raises(InvalidUseError, match="'safe' is not one of 'none', 'ordered'"):
        MLArray(VOXELS).flush(level="safe")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"level": "safe"}, "level='safe' is not one of 'none', 'ordered', 'durable'"),
        ({"level": True}, "level=True is not one of"),
        ({"level": "none", "durable": True}, "durable=True and level='none' contradict"),
        ({"level": "ordered", "durable": True}, "durable=True and level='ordered' contradict"),
        (
            {"level": "durable", "durable": False},
            "durable=False and level='durable' contradict",
        ),
        ({"durable": "ordered"}, "a level is level='ordered'"),
    ],
)
def test_wrong_levels_are_named_and_nothing_is_written(
    saved: Path, options: Any, text: str
) -> None:
    before = saved.read_bytes()
    image = MLArray(VOXELS)
    calls = [lambda: image.save(saved, **options), lambda: mlarray.repack(saved, **options)]
    if "durable" not in options:
        calls += [
            lambda: MLArray.create(saved, (3,), "u1", **options),
            lambda: MLArray.open(saved, shape=(3,), dtype="u1", mmap="w+", **options),
            lambda: MLArray.open(saved, mmap="r+", **options),
        ]
    for call in calls:
        with pytest.raises(InvalidUseError, match=text) as caught:
            call()
        assert str(saved) in str(caught.value)
    assert saved.read_bytes() == before


@pytest.mark.parametrize("mode", ["r", "c"])
def test_a_level_is_for_writers(saved: Path, mode: Any) -> None:
    with pytest.raises(InvalidUseError, match=f"level='durable'.*the mode is '{mode}'"):
        MLArray.open(saved, mmap=mode, level="durable")


def test_the_command_line(tmp_path: Path, asked: list[str]) -> None:
    path = tmp_path / "a.mla"
    MLArray(VOXELS).save(path)
    del asked[:]
    for arguments in (["--commit-level", "none"], [], ["--commit-level", "durable"]):
        assert main(["repack", *arguments, str(path)]) == 0
    assert asked == [
        *("r+ ordered", "save none", "r+ ordered", "save ordered"),
        *("r+ ordered", "save durable"),
    ]
    del asked[:]
    tune = ["tune", "--patch", "2", "--seconds", "0", "-q"]
    assert main([*tune, "--apply", "--commit-level", "durable", str(path)]) == 0
    assert asked[-2:] == ["r+ ordered", "save durable"]


def test_converting_on_the_command_line(tmp_path: Path, asked: list[str]) -> None:
    nibabel = pytest.importorskip("nibabel")
    source, target = tmp_path / "a.nii", tmp_path / "a.mla"
    nibabel.save(nibabel.Nifti1Image(VOXELS, np.eye(4)), source)
    assert main(["convert", "--commit-level", "durable", str(source), str(target)]) == 0
    assert asked[-1] == "save durable"
    assert main(["convert", "--commit-level", "none", str(target), str(source)]) == 1
