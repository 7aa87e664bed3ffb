"""PatchLoader at its edges: handlers of signals, epochs that end early, odd files and names."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import InvalidTypeError, InvalidValueError, MLArrayError
from mlarray.training import Balanced, Case, Grid, Listed, Normalize, PatchLoader, Uniform

SHAPE = (12, 14, 16)


def save(path: Path, voxels: Any, **options: Any) -> Path:
    MLArray(voxels, **options).save(path)
    return path


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    random = np.random.default_rng(1)
    made = []
    for number in range(4):
        labels = np.zeros(SHAPE, np.uint8)
        labels[2:5, 3:6, 4:7] = 1
        image = random.normal(0, 100, SHAPE).astype(np.int16)
        made.append(
            Case(
                save(tmp_path / f"c{number}.mla", image),
                save(tmp_path / f"c{number}_seg.mla", labels),
            )
        )
    return made


def indices(batches: Any) -> list[int]:
    return [index for batch in batches for index in batch["index"].tolist()]


def facts(loader: PatchLoader) -> tuple[int, list[str]]:
    """Samples of an epoch, and the names of the cases that were skipped."""
    return len(indices(loader)), [each.name for each in loader.skipped]


def test_a_loop_that_took_all_batches_is_followed_by_the_next_epoch(cases: list[Case]) -> None:
    with PatchLoader(cases, 8, samples_per_epoch=10) as loader:
        seeds = []
        for _ in range(3):
            batches = list(itertools.islice(loader, 5))
            assert indices(batches) == list(range(10))
            seeds += [batch["seed"].tobytes() for batch in batches]
        assert len(set(seeds)) == 15
        state = loader.state_dict()
        assert (state["epoch"], state["batches_done"]) == (2, 5)
        assert next(iter(loader))["index"].tolist() == [0, 1]
        assert loader.epoch == 3


HANDLER = """
import signal, sys
from mlarray.errors import ClosedError
from mlarray.training import Case, PatchLoader
loader = PatchLoader([Case(sys.argv[1])], 8, 200_000, samples_per_epoch=10**9, threads=1)
def handler(*_):
    print(loader.state_dict()["batches_done"], loader.epoch)
    {then}
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    next(iter(loader))
except ClosedError:
    print("closed")
"""


@pytest.mark.parametrize("then", ["sys.exit(0)", "loader.close()"])
def test_a_handler_of_signals_may_ask_the_loader(cases: list[Case], then: str) -> None:
    """As one that saves a checkpoint before the job is stopped, while a batch is waited for."""
    done = subprocess.run(
        [sys.executable, "-c", HANDLER.format(then=then), str(cases[0].image)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0 0\n" + ("closed\n" if "close" in then else "")


def test_warnings_that_are_errors_lose_no_batch(tmp_path: Path) -> None:
    empty = save(tmp_path / "empty.mla", np.zeros(SHAPE, np.uint8))
    sampler = Balanced(1.0)
    with (
        PatchLoader([Case(empty, empty)], 4, sampler=sampler, samples_per_epoch=6) as loader,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="no foreground"):
            next(iter(loader))
        assert indices(loader) == list(range(6))


def test_a_skipped_case_is_told_of(cases: list[Case], tmp_path: Path) -> None:
    gone = Case(tmp_path / "gone.mla", tmp_path / "gone_seg.mla")
    with (
        PatchLoader([gone, *cases], 8, samples_per_epoch=60, skip_unreadable=True) as loader,
        pytest.warns(UserWarning, match=r"skipped: case 'gone'.*gone\.mla") as told,
    ):
        assert facts(loader) == (60, ["gone"])
    assert len(told) == 1


def test_the_axes_of_a_patch_of_one_number(tmp_path: Path) -> None:
    voxels = np.zeros((3, *SHAPE), np.int16)
    named = save(
        tmp_path / "named.mla",
        voxels,
        axis_labels=["channel", "spatial", "spatial", "spatial"],
    )
    labels = save(tmp_path / "seg.mla", np.zeros(SHAPE, np.uint8))
    plain = save(tmp_path / "plain.mla", voxels)
    many = save(tmp_path / "many.mla", voxels[:2])
    for case in (Case(named), Case(named, labels), Case(plain, labels), Case(labels, many)):
        with PatchLoader([case], 8, samples_per_epoch=2) as loader:
            assert loader.patch_size == (8, 8, 8)
            next(iter(loader))
    with PatchLoader([Case(named)], 8, slice_axis=0, samples_per_epoch=2) as loader:
        assert next(iter(loader))["image"].shape == (2, 3, 8, 8)


def test_slices_of_the_patch_that_files_were_saved_for(tmp_path: Path) -> None:
    MLArray(np.zeros(SHAPE, np.int16)).save(tmp_path / "a.mla", patch_size=(4, 6, 8))
    with PatchLoader.from_folder(tmp_path, slice_axis=1, samples_per_epoch=2) as loader:
        assert loader.patch_size == (4, 1, 8)
        assert next(iter(loader))["image"].shape == (2, 1, 4, 8)


def test_a_patch_of_slices_without_an_axis_is_no_patch_of_channels(tmp_path: Path) -> None:
    scan = Case(save(tmp_path / "a.mla", np.zeros(SHAPE, np.int16), spacing=(3, 1, 1)))
    with pytest.raises(InvalidValueError, match=r"a\.mla.*slice_axis"):
        PatchLoader([scan], (8, 8), samples_per_epoch=2)


@pytest.mark.parametrize("dtype", [">i2", ">u4", ">i8", ">f4", ">f8", ">f2"])
def test_the_byte_order_of_other_machines(tmp_path: Path, dtype: str) -> None:
    voxels = (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 500).astype(dtype)
    case = Case(*[save(tmp_path / "a.mla", voxels)] * 2)
    for image_dtype in ("stored", "float32"):
        with PatchLoader(
            [case], SHAPE, 1, samples_per_epoch=1, image_dtype=image_dtype
        ) as loader:
            batch = next(iter(loader))
        for name in ("image", "label"):
            assert batch[name].dtype.isnative
            np.testing.assert_array_equal(batch[name][0, 0], voxels)
    if dtype[1] in "iu":
        with PatchLoader([case], 4, 1, sampler=Balanced(1.0), samples_per_epoch=8) as loader:
            for batch in loader:
                assert voxels[tuple(batch["center"][0])] == batch["class"][0]


def test_other_types_in_the_byte_order_of_other_machines(tmp_path: Path) -> None:
    voxels = np.ones(SHAPE, ">c8")
    with (
        PatchLoader(
            [Case(save(tmp_path / "a.mla", voxels))],
            4,
            samples_per_epoch=2,
            image_dtype="stored",
        ) as loader,
        pytest.raises(MLArrayError, match="byte order"),
    ):
        next(iter(loader))


def test_statistics_of_an_image_with_a_voxel_that_is_no_number(tmp_path: Path) -> None:
    voxels = np.ones(SHAPE, np.float32)
    voxels[3, 4, 5] = np.nan
    image = MLArray(voxels)
    image.compute_statistics()
    image.save(tmp_path / "a.mla")
    with pytest.raises(InvalidValueError, match=r"a\.mla.*stats\.mean nan"):
        PatchLoader(
            [Case(tmp_path / "a.mla")], 4, samples_per_epoch=2, normalize=Normalize.stats()
        )


def test_limits_of_some_channels(tmp_path: Path) -> None:
    voxels = np.stack([np.full(SHAPE, 100.0, np.float32)] * 2)
    path = save(tmp_path / "a.mla", voxels)
    with PatchLoader(
        [Case(path)],
        (4, 4, 4),
        samples_per_epoch=2,
        normalize=Normalize(high=[None, 50]),  # type: ignore[list-item]
    ) as loader:
        batch = next(iter(loader))
    assert batch["image"][:, 0].max() == 100
    assert batch["image"][:, 1].max() == 50


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path / "scan") + b"\xff.mla")
    MLArray(np.zeros(SHAPE, np.uint8)).save(odd)
    with PatchLoader.from_folder(tmp_path, patch_size=4, samples_per_epoch=2) as loader:
        assert loader.cases[0] == Case(odd, name="scan\udcff")
        next(iter(loader))
    with (
        PatchLoader([Case(odd, odd)], 4, sampler=Balanced(1.0), samples_per_epoch=2) as loader,
        pytest.warns(UserWarning, match="no foreground"),
    ):
        next(iter(loader))
    os.remove(odd)
    with (
        PatchLoader(
            [Case(save(tmp_path / "a.mla", np.zeros(SHAPE, np.uint8))), Case(odd)],
            4,
            samples_per_epoch=60,
            skip_unreadable=True,
        ) as loader,
        pytest.warns(UserWarning, match="skipped"),
    ):
        assert facts(loader) == (60, ["scan\udcff"])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"batch_size": 2.5}, "batch_size=2.5 is a float"),
    ({"batch_size": None}, "batch_size=None"),
    ({"batch_size": 10**30}, "batch_size=.*at most"),
    ({"batch_size": 2**40}, "batch is .*at most"),
    ({"samples_per_epoch": 0}, "samples_per_epoch=0"),
    ({"samples_per_epoch": 10**30}, "samples_per_epoch=.*at most"),
    ({"image_dtype": None}, "image_dtype=None"),
    ({"image_dtype": np.array([1, 2])}, "image_dtype="),
    ({"slice_axis": 1.5}, "slice_axis=1.5 is a float"),
    ({"rank": 2**40}, "rank=.*at most"),
    ({"world_size": 2**40}, "world_size=.*at most"),
    ({"drop_last": "no"}, "drop_last='no' is a str; give True or False"),
    ({"skip_unreadable": 1}, "skip_unreadable=1"),
    ({"verify": "yes"}, "verify='yes'"),
    ({"threads": 2**40}, "threads=.*at most"),
    ({"threads": 5000}, "threads is 5000.*1024"),
    ({"prefetch_bytes": 10**30}, "prefetch_bytes=.*at most"),
    ({"padding": None}, "padding=None is not one of 'constant', 'edge', 'reflect'"),
    ({"padding": "wrap"}, "padding='wrap' is not one of 'constant', 'edge', 'reflect'"),
    ({"joined": 5}, "joined=5"),
    ({"joined": [(1, "a")]}, r"joined\[0\]"),
    ({"normalize": Normalize(std=-1)}, "std of -1"),
    ({"normalize": Normalize(std=float("nan"))}, "std of nan"),
    ({"normalize": Normalize(low=5, high=1)}, "limits 5.* and 1"),
    ({"label_fill": 300}, "label_fill is 300.*choose a type for label"),
    ({"patch_size": 10**30}, "patch_size=.*at most"),
    ({"cases": None}, "cases=None is no list"),
    ({"sampler": Uniform(border="far")}, "border='far' is not one of 'inside', 'nnunet'"),  # type: ignore[arg-type]
    ({"sampler": Uniform(border="nnunet", pad=2**62)}, "pad of"),
    ({"sampler": Uniform(border="nnunet", pad=np.array([1, -2, 3]))}, "pad of"),  # type: ignore[arg-type]
    ({"sampler": Balanced(classes=[])}, "classes is empty"),
    ({"sampler": Balanced(classes=[2**63])}, "classes=.*at most"),
    ({"sampler": Balanced(forced=None)}, "forced=None is not one of 'probability', 'last'"),  # type: ignore[arg-type]
    ({"sampler": Listed([5])}, r"boxes\[0\]=5 is no pair"),  # type: ignore[list-item]
    ({"sampler": Listed([(0.5, (0, 0, 0))])}, r"the case of boxes\[0\]=0.5"),  # type: ignore[list-item]
    ({"sampler": Listed([(0, (2**62, 0, 0))])}, "within 2.40"),
    ({"sampler": Listed.centers([(0, (-(2**63), 0, 0))])}, r"boxes\[0\]=.*out of range"),
    ({"sampler": Grid(overlap="a")}, "overlap='a'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("options", "text"), WRONG, ids=lambda value: str(value)[:40])
def test_errors_name_the_argument(
    cases: list[Case], options: dict[str, Any], text: str
) -> None:
    with pytest.raises((InvalidTypeError, InvalidValueError), match=text):
        PatchLoader(**{"cases": cases, "patch_size": 8, "samples_per_epoch": 4, **options})


def test_arrays_as_arguments(cases: list[Case]) -> None:
    sampler = Balanced(
        1.0,
        classes=np.array([1, 2]),
        border="nnunet",
        pad=np.array([1, 2, 3]),  # type: ignore[arg-type]
    )
    with PatchLoader(
        cases,
        np.array([4, 4, 4]),
        sampler=sampler,
        samples_per_epoch=4,  # type: ignore[arg-type]
    ) as loader:
        assert all((batch["class"] == 1).all() for batch in loader)


@pytest.mark.parametrize(
    "arguments",
    [
        {"extra": ["a.mla"]},
        {"extra": None},
        {"extra": {5: "a.mla"}},
        {"extra": {"": "a.mla"}},
        {"name": 7},
        {"class_locations": 7},
        {"label": []},
    ],
)
def test_wrong_cases(arguments: dict[str, Any]) -> None:
    name = next(iter(arguments))
    with pytest.raises((InvalidTypeError, InvalidValueError), match=name):
        Case(image="a.mla", **arguments)
