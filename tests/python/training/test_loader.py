"""PatchLoader: batches are what plain NumPy cuts out, and the same however they are read."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlarray import MLArray
from mlarray.errors import (
    ClosedError,
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    MLArrayError,
    NotFoundError,
    OutOfBoundsError,
)
from mlarray.training import Balanced, Case, Grid, Listed, Normalize, PatchLoader, Uniform

Voxels = np.ndarray[Any, Any]


class Data:
    """A few small cases, in files and as arrays."""

    SHAPES = ((24, 30, 26), (17, 40, 21), (31, 19, 33), (20, 20, 20))

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(7)
        self.images: list[Voxels] = []
        self.labels: list[Voxels] = []
        self.cases: list[Case] = []
        for number, shape in enumerate(self.SHAPES):
            labels = np.zeros(shape, np.uint8)
            labels[3:9, 4:12, 5:11] = 1
            labels[12:14, 15:18, 14:17] = 2
            image = (random.normal(0, 300, (2, *shape)) + 500.0 * labels).astype(np.int16)
            weight = random.random(shape, np.float32)
            names = [folder / f"c{number}_{what}.mla" for what in ("a", "b", "seg", "w")]
            for path, voxels in zip(names, (*image, labels, weight)):
                file = MLArray(voxels, spacing=(3.0, 0.5, 0.7), origin=(1.0, 2.0, 3.0))
                if voxels.dtype == np.int16:
                    file.compute_statistics()
                file.save(path, patch_size=8)
            self.images.append(image)
            self.labels.append(labels)
            case = Case(image=names[:2], label=names[2], extra={"weight": names[3]})
            self.cases.append(case)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return Data(tmp_path_factory.mktemp("cases"))


def cut(voxels: Voxels, box: Voxels, mode: str = "constant", fill: float = 0) -> Voxels:
    """The box of the last axes, padded by NumPy."""
    size = voxels.shape[-box.shape[1] :]
    before = np.maximum(-box[0], 0)
    after = np.maximum(box[1] - size, 0)
    widths = [(0, 0)] * (voxels.ndim - len(size)) + list(zip(before, after))
    how: Any = {"constant_values": fill} if mode == "constant" else {}
    padded = np.pad(voxels, widths, mode, **how)  # type: ignore[call-overload]
    keys = (slice(a + b, e + b) for a, e, b in zip(box[0], box[1], before))
    return np.asarray(padded[(..., *keys)])


def draws(loader: PatchLoader, epochs: int = 1) -> list[tuple[Any, ...]]:
    """All that is random of the samples of some epochs, in order."""
    found = []
    for _ in range(epochs):
        for batch in loader:
            keys = ("case", "box", "class", "index", "seed")
            found += list(zip(*(batch[key].tolist() for key in keys)))
    return found


@pytest.mark.parametrize(
    ("sampler", "padding"),
    [
        (Uniform(), "constant"),
        (Uniform(border="nnunet"), "constant"),
        (Uniform(case_weights=[1, 0, 2, 0], border="nnunet"), "edge"),
        (Balanced(0.5), "constant"),
        (Balanced(1.0, border="nnunet"), "reflect"),
        (Balanced(0.33, forced="last", classes=[2]), "edge"),
        (Balanced(1.0, class_first=True), "constant"),
        (Balanced(0.5, negatives=True), "constant"),
        (Grid(overlap=4), "constant"),
        (Listed([(2, (-3, 0, 5)), (0, (20, 28, 0)), (1, (0, 0, 0))], shuffle=True), "edge"),
        (Listed.centers([(0, (3, 4, 5)), (3, (19, 0, 10))]), "constant"),
    ],
    ids=repr,
)
def test_batches_are_what_numpy_cuts_out(data: Data, sampler: Any, padding: Any) -> None:
    named = (Grid, Listed)
    loader = PatchLoader(
        data.cases,
        (12, 22, 16),
        3,
        sampler=sampler,
        samples_per_epoch=None if isinstance(sampler, named) else 30,
        padding=padding,
        image_fill=-7 if padding == "constant" else 0,
        label_fill=255,
        mask_padding=True,
        drop_last=False,
    )
    seen = 0
    with loader:
        for batch in loader:
            assert batch["image"].dtype == np.float32
            assert batch["label"].dtype == np.uint8
            for i, case in enumerate(batch["case"]):
                box = batch["box"][i]
                image, labels = data.images[case], data.labels[case]
                np.testing.assert_array_equal(batch["image"][i], cut(image, box, padding, -7))
                np.testing.assert_array_equal(batch["label"][i, 0], cut(labels, box, fill=255))
                inside = cut(np.ones(labels.shape), box)
                np.testing.assert_array_equal(batch["inside"][i, 0], inside)
                if batch["class"][i] >= 0:
                    center = tuple(batch["center"][i])
                    assert labels[center] == batch["class"][i]
                    assert all(box[0] <= center)
                    assert all(center < box[1])
                else:
                    assert (batch["center"][i] == -1).all()
                seen += 1
    assert seen >= 2


def test_the_background_is_drawn_where_it_is_asked_for(data: Data) -> None:
    sampler = Balanced(1.0, classes=[0, 1])
    with PatchLoader(data.cases, 12, 4, sampler=sampler, samples_per_epoch=40) as loader:
        drawn = np.concatenate([batch["class"] for batch in loader])
    assert set(drawn) == {0, 1}


CONVERSIONS: dict[str, tuple[Any, Callable[[Voxels], Voxels]]] = {
    "plain": (None, lambda x: x),
    "constants": (
        Normalize(mean=[100, 5], std=[250, 2.5], low=[-200, -1e9], high=[700, 1e9]),
        lambda x: np.stack(
            [(np.clip(x[0], -200, 700) - 100) / 250, (x[1] - 5) / 2.5], dtype=np.float64
        ),
    ),
    "one for all": (Normalize(mean=-3, std=7), lambda x: (x + 3.0) / 7),
    "patch": (
        Normalize.patch(),
        lambda x: (x - x.mean((1, 2, 3), keepdims=True)) / x.std((1, 2, 3), keepdims=True),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "stored"])
@pytest.mark.parametrize("how", CONVERSIONS)
def test_types_and_normalisation(data: Data, how: str, dtype: Any) -> None:
    normalize, formula = CONVERSIONS[how]
    if dtype == "stored" and how != "plain":
        pytest.skip("normalised voxels are not as stored")
    loader = PatchLoader(
        data.cases, 12, 2, samples_per_epoch=8, image_dtype=dtype, normalize=normalize
    )
    with loader:
        for batch in loader:
            got = batch["image"]
            for i, case in enumerate(batch["case"]):
                plain = cut(data.images[case], batch["box"][i]).astype(np.float64)
                want = formula(plain)
                if dtype == "bfloat16":
                    assert got.dtype == np.uint16
                    shown = (got[i].astype(np.uint32) << 16).view(np.float32)
                    np.testing.assert_allclose(shown, want, rtol=2**-8, atol=1e-3)
                elif dtype == "stored":
                    assert got.dtype == np.int16
                    np.testing.assert_array_equal(got[i], want)
                else:
                    assert got.dtype == dtype
                    close = 2**-10 if dtype == "float16" else 1e-5
                    np.testing.assert_allclose(got[i], want, rtol=close, atol=1e-3)


def test_statistics_of_the_file_and_of_the_foreground(data: Data) -> None:
    for normalize in (Normalize.stats(clip=True), Normalize.foreground()):
        with PatchLoader(
            data.cases, 16, 2, sampler=Balanced(1.0), samples_per_epoch=6, normalize=normalize
        ) as loader:
            for batch in loader:
                for i, case in enumerate(batch["case"]):
                    box = batch["box"][i]
                    x = cut(data.images[case], box).astype(np.float64)
                    if normalize == Normalize.foreground():
                        mask = cut(data.labels[case], box) > 0
                        mean, std = x[:, mask].mean(1), x[:, mask].std(1)
                    else:
                        files = [MLArray(path).meta.stats for path in data.cases[case].image]
                        mean = np.array([file.mean for file in files])
                        std = np.array([file.std for file in files])
                        low = [file.percentile_min for file in files]
                        high = [file.percentile_max for file in files]
                        for channel in range(2):
                            x[channel] = x[channel].clip(low[channel], high[channel])
                    want = (x - mean[:, None, None, None]) / std[:, None, None, None]
                    np.testing.assert_allclose(batch["image"][i], want, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**64 - 1),
    patch=st.tuples(*[st.integers(1, 40)] * 3),
    batch_size=st.integers(1, 4),
    padding=st.sampled_from(["constant", "edge", "reflect"]),
    border=st.sampled_from(["inside", "nnunet"]),
    threads=st.integers(1, 3),
)
def test_any_patch_and_seed(
    data: Data,
    seed: int,
    patch: tuple[int, int, int],
    batch_size: int,
    padding: Any,
    border: Any,
    threads: int,
) -> None:
    with PatchLoader(
        data.cases,
        patch,
        batch_size,
        sampler=Balanced(0.5, border=border),
        samples_per_epoch=2 * batch_size,
        seed=seed,
        padding=padding,
        threads=threads,
    ) as loader:
        for batch in loader:
            for i, case in enumerate(batch["case"]):
                want = cut(data.images[case], batch["box"][i], padding)
                np.testing.assert_array_equal(batch["image"][i], want)


def test_extras_affine_and_index(data: Data) -> None:
    with PatchLoader(data.cases, 8, 2, samples_per_epoch=6) as loader:
        batches = list(loader)
    for number, batch in enumerate(batches):  # valid after the loader's end
        assert batch["index"].tolist() == [2 * number, 2 * number + 1]
        assert batch["seed"].dtype == np.uint64
        for i, case in enumerate(batch["case"]):
            path = data.cases[case].extra["weight"]
            weight = MLArray(path)  # type: ignore[arg-type]
            box = batch["box"][i]
            np.testing.assert_array_equal(
                batch["weight"][i, 0], cut(np.asarray(weight[...]), box)
            )
            corner = batch["affine"][i] @ [0, 0, 0, 1]
            np.testing.assert_allclose(corner, weight.affine_matrix @ [*box[0], 1])
    batches[0]["image"][...] = 1  # they are the caller's
    assert batches[1]["image"].flags.c_contiguous


def test_without_labels_and_with_float_targets(data: Data) -> None:
    with PatchLoader(
        [Case(image=case.image) for case in data.cases], 8, samples_per_epoch=2
    ) as loader:
        assert "label" not in next(iter(loader))
    targets = [Case(image=c.image, label=c.extra["weight"]) for c in data.cases]
    with PatchLoader(targets, 8, samples_per_epoch=2) as loader:
        batch = next(iter(loader))
    assert batch["label"].dtype == np.float32


def test_balanced_shares(data: Data) -> None:
    sampler = Balanced(0.4, classes=[1, 2], class_weights=[1, 3])
    with PatchLoader(data.cases, 4, 10, sampler=sampler, samples_per_epoch=4000) as loader:
        drawn = np.concatenate([batch["class"] for batch in loader])
    counts = np.array([(drawn == label).sum() for label in (-1, 1, 2)])
    want = np.array([0.6, 0.1, 0.3]) * 4000
    assert ((counts - want) ** 2 / want).sum() < 13.8  # chi-squared, 2 degrees: 0.1 %
    with PatchLoader(
        data.cases, 4, 5, sampler=Balanced(0.33, forced="last"), samples_per_epoch=50
    ) as loader:
        for batch in loader:
            assert (batch["class"] >= 0).tolist() == [False] * 3 + [True] * 2


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_slices(data: Data, axis: int) -> None:
    with PatchLoader(data.cases, (16, 12), 4, slice_axis=axis, samples_per_epoch=8) as loader:
        for batch in loader:
            assert batch["image"].shape == (4, 2, 16, 12)
            assert batch["label"].shape == (4, 1, 16, 12)
            for i, case in enumerate(batch["case"]):
                want = cut(data.images[case], batch["box"][i]).squeeze(1 + axis % 3)
                np.testing.assert_array_equal(batch["image"][i], want)


def test_a_grid_of_slices_has_every_slice(data: Data) -> None:
    shape = data.images[0].shape[1:]
    with PatchLoader(
        data.cases[:1], shape[1:], 1, sampler=Grid(overlap=0), slice_axis=0
    ) as loader:
        assert [int(batch["box"][0, 0, 0]) for batch in loader] == list(range(shape[0]))


@pytest.mark.parametrize("sampler", [Uniform(), Balanced(0.5), Balanced(0.4, forced="last")])
def test_threads_and_prefetch_do_not_change_draws(data: Data, sampler: Any) -> None:
    def found(**options: Any) -> list[Any]:
        with PatchLoader(
            data.cases, 6, 3, sampler=sampler, samples_per_epoch=24, seed=5, **options
        ) as loader:
            return draws(loader, 2)

    want = found(threads=1)
    assert len(set(map(str, want))) == 48
    assert found(threads=2) == want
    assert found(threads=8, prefetch_bytes=0, open_cases=1) == want


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("drop_last", [True, False])
def test_ranks_have_no_duplicates_and_no_gaps(data: Data, world: int, drop_last: bool) -> None:
    options: dict[str, Any] = {"sampler": Balanced(0.5), "samples_per_epoch": 21}
    with PatchLoader(data.cases, 6, 2, drop_last=False, **options) as loader:
        whole = draws(loader)
    steps, by_index = set(), []
    for rank in range(world):
        with PatchLoader(
            data.cases, 6, 2, rank=rank, world_size=world, drop_last=drop_last, **options
        ) as loader:
            steps.add(len(loader))
            for number, batch in enumerate(loader):
                first = 2 * (number * world + rank)
                # What is filled up has the same place in its batch.
                want = [at if at < 21 else at % 20 for at in (first, first + 1)]
                assert batch["index"].tolist() == want
                by_index += batch["index"].tolist()
    assert len(steps) == 1  # equal for all ranks
    if drop_last:
        assert sorted(by_index) == list(range(21 // (2 * world) * 2 * world))
    else:
        assert set(by_index) == set(range(21))
    assert [draw[3] for draw in whole][:21] == list(range(21))


def test_resume_at_every_position(data: Data) -> None:
    def make() -> PatchLoader:
        return PatchLoader(
            data.cases, 4, 2, sampler=Balanced(0.5), samples_per_epoch=100, seed=3
        )

    with make() as loader:
        assert len(loader) == 50
        states, whole = [loader.state_dict()], []
        for batch in loader:
            whole.append(batch["box"].tolist())
            states.append(loader.state_dict())
        ended = loader.state_dict()
        following = [batch["box"].tolist() for batch in loader]
    with make() as other:
        for position, state in enumerate(states):
            assert len(pickle.dumps(state)) <= 1024
            other.load_state_dict(state)
            rest = [batch["box"].tolist() for batch in other]
            assert rest == (whole[position:] or following)  # of a whole epoch, the next one
        other.load_state_dict(ended)
        assert [batch["box"].tolist() for batch in other] == following
    assert following != whole


def test_epochs(data: Data) -> None:
    with PatchLoader(data.cases, 4, 2, samples_per_epoch=8) as loader:
        first = draws(loader)
        assert loader.epoch == 1
        second = draws(loader)
        assert first != second
        loader.set_epoch(0)
        for batch in loader:  # broken off
            assert batch["index"].tolist() == [0, 1]
            break
        assert loader.epoch == 0
        assert draws(loader) == first[2:]  # goes on
        assert draws(loader) == second
        with pytest.raises(InvalidValueError):
            loader.set_epoch(-1)


def test_one_sample(data: Data) -> None:
    with PatchLoader(data.cases, 6, 2, sampler=Balanced(0.5), samples_per_epoch=6) as loader:
        for number, batch in enumerate(loader):
            one = loader.sample(2 * number + 1, 0)
            for name, array in batch.items():
                np.testing.assert_array_equal(one[name][0], array[1])
        with pytest.raises(OutOfBoundsError):
            loader.sample(6)


def test_a_state_of_others(data: Data) -> None:
    with PatchLoader(data.cases, 6, 2, samples_per_epoch=8) as loader:
        next(iter(loader))
        state = loader.state_dict()
        for bad in ({}, {**state, "version": 9}, {**state, "batches_done": 99}, None):
            with pytest.raises(InvalidValueError):
                loader.load_state_dict(bad)  # type: ignore[arg-type]
    for options in ({"seed": 1}, {"samples_per_epoch": 10}, {"batch_size": 4}):
        with (
            PatchLoader(data.cases, 6, **{"samples_per_epoch": 8, **options}) as other,
            pytest.raises(InvalidValueError, match="state"),
        ):
            other.load_state_dict(state)
    ranks: dict[str, Any] = {"rank": 0, "world_size": 2, "samples_per_epoch": 8}
    with PatchLoader(data.cases, 6, **ranks) as other:
        with pytest.raises(InvalidValueError, match="middle of an epoch"):
            other.load_state_dict(state)
        other.load_state_dict({**state, "batches_done": 0})


def test_wrong_arguments(data: Data) -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"patch_size": (8, 8)}, InvalidValueError, "axis"),
        ({"patch_size": (8, 0, 8)}, InvalidValueError, "patch"),
        ({"patch_size": "large"}, InvalidTypeError, "patch_size"),
        ({"batch_size": 0}, InvalidValueError, "batch"),
        ({"batch_size": 2.5}, InvalidTypeError, "batch_size"),
        ({"sampler": "uniform"}, InvalidTypeError, "sampler"),
        ({"sampler": Uniform(case_weights=[1])}, InvalidValueError, "case_weights"),
        ({"sampler": Uniform(border="far")}, InvalidValueError, "border"),  # type: ignore[arg-type]
        ({"sampler": Balanced(2.0)}, InvalidValueError, "foreground"),
        ({"sampler": Grid(overlap=8)}, InvalidValueError, "overlap"),
        ({"sampler": Listed([(9, (0, 0, 0))])}, OutOfBoundsError, "case"),
        ({"sampler": Listed([(0, (0, 0))])}, InvalidValueError, "boxes"),
        ({"image_dtype": "complex64"}, InvalidValueError, "image_dtype"),
        ({"image_dtype": "nothing"}, InvalidTypeError, "image_dtype"),
        ({"padding": "wrap"}, InvalidValueError, "padding"),
        ({"normalize": "z"}, InvalidTypeError, "normalize"),
        ({"normalize": Normalize(mean=[1, 2, 3])}, InvalidValueError, "channels"),
        ({"normalize": Normalize(mean=[1, 2, 3], std=[1, 2])}, InvalidValueError, "numbers"),
        ({"rank": 2, "world_size": 2}, InvalidValueError, "rank"),
        ({"slice_axis": 4}, InvalidValueError, "slice_axis"),
        ({"seed": "a"}, InvalidTypeError, "seed"),
        ({"cases": []}, InvalidValueError, "case"),
        ({"cases": data.cases[0]}, InvalidTypeError, "list"),
        ({"cases": ["a.mla"]}, InvalidTypeError, "Case"),
    ]
    for options, kind, text in wrong:
        with pytest.raises(kind, match=text):
            PatchLoader(**{"cases": data.cases, "patch_size": 8, **options})
    for bad in (
        lambda: Case(image=[]),
        lambda: Case(image="a.mla", extra={"box": "b.mla"}),
        lambda: Case(image="a.mla", extra={"w": []}),
    ):
        with pytest.raises(InvalidValueError):
            bad()
    with pytest.raises(InvalidTypeError):
        Case(image=7)  # type: ignore[arg-type]


@pytest.fixture
def broken(data: Data, tmp_path: Path) -> list[Case]:
    """The cases, of which one is damaged and one is not there."""
    bad = tmp_path / "bad.mla"
    whole = Path(data.cases[0].image[0]).read_bytes()  # type: ignore[index, arg-type]
    bad.write_bytes(whole[: len(whole) // 2])
    cases = [Case(image=c.image, label=c.label) for c in data.cases]
    cases.insert(1, Case(image=[bad, bad], label=cases[0].label, name="patient 12"))
    gone = tmp_path / "gone.mla"
    cases.append(Case(image=[gone, gone], label=cases[0].label))
    return cases


def test_a_case_that_cannot_be_read_is_named(broken: list[Case]) -> None:
    only = Uniform(case_weights=[0, 1, 0, 0, 0, 0])
    with PatchLoader(broken, 6, 1, sampler=only, samples_per_epoch=2) as loader:
        start = time.monotonic()
        with pytest.raises(MLArrayError, match=r"case 'patient 12': .*bad\.mla"):
            list(loader)
        assert time.monotonic() - start < 5
        with pytest.raises(MLArrayError, match="case 'patient 12'"):  # asked for again
            list(loader)
    weights = [0, 0, 0, 0, 0, 1]
    with (
        PatchLoader(
            broken, 6, 1, sampler=Uniform(case_weights=weights), samples_per_epoch=2
        ) as loader,
        pytest.raises(NotFoundError, match="case 'gone'"),
    ):
        next(iter(loader))


def test_unreadable_cases_are_skipped(broken: list[Case], data: Data) -> None:
    with PatchLoader(broken, 6, 2, samples_per_epoch=60, skip_unreadable=True) as loader:
        batches = []
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            batches += list(loader)
        drawn = np.concatenate([batch["case"] for batch in batches])
        assert len(drawn) == 60
        assert set(drawn.tolist()) == {0, 2, 3, 4}
        assert sorted(each.name for each in loader.skipped) == ["gone", "patient 12"]
        assert {each.case for each in loader.skipped} == {1, 5}
        assert all(issubclass(warning.category, UserWarning) for warning in told)


def test_a_class_that_is_nowhere_warns_once(data: Data) -> None:
    sampler = Balanced(1.0, classes=[9])
    with (
        PatchLoader(data.cases[:1], 6, 1, sampler=sampler, samples_per_epoch=5) as loader,
        pytest.warns(UserWarning, match="9") as told,
    ):
        assert all(batch["class"] == -1 for batch in loader)
    assert len(told) == 1
    assert told[0].filename == __file__


def test_closing(data: Data) -> None:
    loader = PatchLoader(data.cases, 8, samples_per_epoch=10)
    batch = next(iter(loader))
    loader.close()
    loader.close()
    assert loader.closed
    assert "closed" in repr(loader)
    assert batch["image"].shape == (2, 2, 8, 8, 8)
    for use in (
        lambda: next(iter(loader)),
        lambda: len(loader),
        loader.state_dict,
        lambda: loader.times,
        lambda: loader.set_epoch(1),
    ):
        with pytest.raises(ClosedError):
            use()


def test_it_is_not_pickled(data: Data) -> None:
    with (
        PatchLoader(data.cases, 8, samples_per_epoch=10) as loader,
        pytest.raises(InvalidUseError, match="PatchDataset"),
    ):
        pickle.dumps(loader)


def test_what_it_says_of_itself(data: Data) -> None:
    with PatchLoader(data.cases, 8, samples_per_epoch=10) as loader:
        assert repr(loader) == "<PatchLoader of 4 cases: 5 batches of 2 x 8 x 8 x 8 an epoch>"
        assert len(loader.cases) == 4
        assert loader.cases[-1].image == tuple(map(str, data.cases[3].image))  # type: ignore[arg-type]
        assert loader.cases[1:3][1].label == str(data.cases[2].label)
        list(loader)
        times = loader.times
        assert times.samples >= 10
        assert times.voxels_read > 0
        assert times.read > 0


def children(work: Callable[[], bool], count: int) -> list[int]:
    """Exit statuses of forked children, 0 where `work` is true."""
    pids = []
    for _ in range(count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: threads
            pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            try:
                os._exit(0 if work() else 1)
            finally:
                os._exit(2)
        pids.append(pid)
    return [os.waitpid(pid, 0)[1] for pid in pids]


def test_a_fork_in_the_middle(data: Data) -> None:
    with PatchLoader(data.cases, 8, 2, samples_per_epoch=40) as loader:
        want = draws(loader)
        loader.set_epoch(0)
        iterator = iter(loader)
        for _ in range(5):
            next(iterator)

        def goes_on() -> bool:
            return draws(loader) == want[10:]

        assert children(goes_on, 2) == [0, 0]
        assert goes_on()


def test_a_fork_while_another_thread_waits(data: Data) -> None:
    with PatchLoader(data.cases, 16, 2, samples_per_epoch=4000) as loader:
        stop = threading.Event()

        def consume() -> None:
            for _ in loader:
                if stop.is_set():
                    return

        thread = threading.Thread(target=consume)
        thread.start()
        try:
            for _ in range(5):
                time.sleep(0.02)
                assert children(lambda: len(next(iter(loader))["case"]) == 2, 1) == [0]
        finally:
            stop.set()
            thread.join(30)


def test_closing_ends_a_waiting_thread(data: Data) -> None:
    loader = PatchLoader(data.cases, 30, 8, samples_per_epoch=80_000)
    errors: list[BaseException] = []

    def consume() -> None:
        try:
            for _ in loader:
                pass
        except ClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=consume)
    thread.start()
    time.sleep(0.1)
    loader.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(errors) == 1


SCRIPT = """
import sys
from mlarray.training import Case, PatchLoader
loader = PatchLoader([Case(sys.argv[1])], 16, 2, samples_per_epoch=10**9, threads=1)
{work}
"""


def script(work: str, path: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(work=work), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "work",
    [
        "next(iter(loader))",
        "iterator = iter(loader); next(iterator); batch = next(iterator)",
        "import threading\n"
        "def consume():\n    for _ in loader: pass\n"
        "threading.Thread(target=consume, daemon=True).start()\n"
        "import time; time.sleep(0.3)",
        # Between two batches when the loader is closed.
        "import threading, time\n"
        "def consume():\n    for _ in loader: time.sleep(0.02)\n"
        "threading.Thread(target=consume, daemon=True).start()\n"
        "time.sleep(0.3)",
    ],
)
def test_the_end_of_the_program_is_quiet(data: Data, work: str) -> None:
    process = script(work, data.cases[0].image[0])  # type: ignore[index]
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "", "")


AT_EXIT = """
import atexit, sys, threading, time
def end():
    worker.join()  # it is not there for ever
    print("joined")
atexit.register(end)  # before ours: called after it
from mlarray.training import Case, PatchLoader
loader = PatchLoader([Case(sys.argv[1])], 16, 2, samples_per_epoch=10**9, threads=1)
def consume():
    try:
        while True: {use}; time.sleep(0.01)
    finally:
        print("cleaned up")
worker = threading.Thread(target=consume, daemon=True)
worker.start()
time.sleep(0.2)
"""


@pytest.mark.parametrize(
    "use", ["next(iter(loader))", "loader.sample(0)", "loader.state_dict()", "len(loader)"]
)
def test_a_daemon_thread_ends_at_exit(data: Data, use: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", AT_EXIT.format(use=use), str(data.cases[0].image[0])],  # type: ignore[index]
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "cleaned up\njoined\n", "")


def test_ctrl_c_while_a_batch_is_waited_for(data: Data) -> None:
    work = (
        "import signal\n"
        # It is ignored where the tests run in the background of a shell.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "slow = PatchLoader([Case(sys.argv[1])], 4, 4_000_000, samples_per_epoch=10**9,"
        " threads=1, image_dtype='stored')\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    next(iter(slow))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')"
    )
    process = script(work, data.cases[0].image[0])  # type: ignore[index]
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert time.monotonic() - start < 5  # of half a minute for the batch
    assert (out, errors, process.returncode) == ("interrupted\n", "", 0)


def test_memory_returns(data: Data) -> None:
    """Batches that are dropped give their memory back."""

    def resident() -> int:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        raise AssertionError

    with PatchLoader(
        data.cases, 30, 8, samples_per_epoch=8 * 200, prefetch_bytes=8 << 20
    ) as loader:
        iterator = iter(loader)
        for _ in range(40):
            next(iterator)
        before = resident()
        for _ in iterator:
            pass
        assert resident() - before < 30_000  # kB; a batch has 1,700


def spawned(paths: list[str], queue: Any) -> None:
    with PatchLoader([Case(path) for path in paths], 6, 2, samples_per_epoch=8) as loader:
        queue.put(draws(loader))


def test_another_process_draws_the_same(data: Data) -> None:
    context = multiprocessing.get_context("spawn")
    paths = [str(case.image[0]) for case in data.cases]  # type: ignore[index]
    queue = context.Queue()
    process = context.Process(target=spawned, args=(paths, queue))
    process.start()
    got = queue.get(timeout=60)
    process.join(60)
    with PatchLoader([Case(path) for path in paths], 6, 2, samples_per_epoch=8) as loader:
        assert draws(loader) == got
