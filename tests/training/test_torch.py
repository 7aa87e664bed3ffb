"""mlarray.torch: tensors without a copy, workers of every kind, going on."""

from __future__ import annotations

import itertools
import multiprocessing
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import mlarray.torch
from mlarray import MLArray, training
from mlarray.errors import (
    ClosedError,
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
)
from mlarray.torch import PatchDataset, PatchLoader
from mlarray.training import Balanced, Case, Grid
from mlarray.training.augment import nnunet

OPTIONS: dict[str, Any] = {
    "sampler": Balanced(0.4, forced="last"),
    "samples_per_epoch": 22,
    "seed": 11,
}
CONTEXTS = [
    (0, None),
    *((count, how) for count in (1, 3) for how in ("fork", "spawn", "forkserver")),
]


def facts(batches: Any) -> list[Any]:
    """What tells one batch from another."""
    keys = ("case", "box", "class", "center", "index", "seed")
    return [[*(b[key].tolist() for key in keys), float(b["image"].sum())] for b in batches]


def test_tensors_are_the_memory_of_the_loader(cases: list[Case]) -> None:
    with (
        PatchLoader(cases, 8, **OPTIONS) as loader,
        training.PatchLoader(cases, 8, **OPTIONS) as plain,
    ):
        assert len(loader) == len(plain) == 11
        for tensors, arrays in zip(loader, plain):
            assert set(tensors) == set(arrays)
            for name, tensor in tensors.items():
                assert isinstance(tensor, torch.Tensor)
                if name == "seed":
                    tensor = tensor.view(torch.uint64)
                assert tensor.numpy().dtype == arrays[name].dtype
                np.testing.assert_array_equal(tensor.numpy(), arrays[name])
            assert tensors["image"].data_ptr() % 64 == 0  # not a copy: as the loader aligns it
        kept = tensors["image"]
    before = kept.clone()
    del tensors, arrays
    assert torch.equal(kept, before)  # after the loader's end


def test_no_copy(cases: list[Case]) -> None:
    with training.PatchLoader(cases, 8, **OPTIONS) as plain:
        arrays = next(iter(plain))
    tensors = mlarray.torch.loader._tensors(arrays, frozenset())
    for name, array in arrays.items():
        assert tensors[name].data_ptr() == array.__array_interface__["data"][0]


def test_bfloat16(cases: list[Case]) -> None:
    with (
        PatchLoader(cases, 8, image_dtype="bfloat16", **OPTIONS) as small,
        PatchLoader(cases, 8, **OPTIONS) as whole,
    ):
        for a, b in zip(small, whole):
            assert a["image"].dtype == torch.bfloat16
            assert torch.equal(a["image"], b["image"].to(torch.bfloat16))
            assert torch.equal(a["label"], b["label"])
    dataset = PatchDataset(cases, 8, image_dtype="bfloat16", **OPTIONS)
    assert dataset[0]["image"].dtype == torch.bfloat16


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize(("workers", "how"), CONTEXTS)
def test_workers_draw_what_the_loader_draws(
    cases: list[Case], workers: int, how: str | None
) -> None:
    dataset = PatchDataset(cases, 8, batch_size=3, **OPTIONS)
    loader = DataLoader(
        dataset,
        batch_size=3,
        num_workers=workers,
        multiprocessing_context=how,
        persistent_workers=workers > 0,
        drop_last=True,
    )
    with PatchLoader(cases, 8, batch_size=3, **OPTIONS) as plain:
        for epoch in range(2):  # persistent workers must see the second one
            dataset.set_epoch(epoch)
            assert dataset.epoch == epoch
            assert facts(loader) == facts(plain)


def test_a_dataset_is_pickled_by_its_options(cases: list[Case]) -> None:
    dataset = PatchDataset(cases, 8, **OPTIONS)
    dataset.set_epoch(3)
    first = dataset[0]  # something is open now
    data = pickle.dumps(dataset)
    assert len(data) < 4000
    other = pickle.loads(data)
    assert len(other) == 22
    assert other.epoch == 3
    for name, tensor in other[0].items():
        assert torch.equal(tensor, first[name])
    assert [list(each) for each in other.__getitems__([1, -1])] == [list(first)] * 2
    with pytest.raises(IndexError):
        dataset[22]


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_workers_of_a_copy_see_its_epoch(cases: list[Case]) -> None:
    dataset = pickle.loads(pickle.dumps(PatchDataset(cases, 8, **OPTIONS)))
    loader = DataLoader(
        dataset,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context="fork",
    )
    seeds = []
    for epoch in range(2):
        dataset.set_epoch(epoch)
        seeds.append([batch["seed"].tolist() for batch in loader])
    assert seeds[0] != seeds[1]


def test_arguments_of_a_dataset(cases: list[Case]) -> None:
    for wrong in ({"rank": 0, "world_size": 2}, {"drop_last": True}):
        with pytest.raises(InvalidUseError, match=f"{next(iter(wrong))}=.*DataLoader"):
            PatchDataset(cases, 8, **wrong)  # type: ignore[arg-type]
    dataset = PatchDataset(cases, 8, **OPTIONS)
    with pytest.raises(InvalidValueError, match="epoch=-1"):
        dataset.set_epoch(-1)
    with pytest.raises(InvalidTypeError, match="epoch='a'"):
        dataset.set_epoch("a")  # type: ignore[arg-type]
    with pytest.raises(InvalidTypeError, match="cases"):
        PatchDataset(cases[0], 8)  # type: ignore[arg-type]


def test_augmented_in_workers(cases: list[Case]) -> None:
    pipeline = nnunet((8, 8, 8), scales=[(1, 1, 1), (0.5, 0.5, 0.5)])
    dataset = PatchDataset(cases, 8, augment=pipeline, **OPTIONS)
    with PatchLoader(cases, 8, augment=pipeline, **OPTIONS) as loader:
        expected = list(loader)
    batches = list(DataLoader(pickle.loads(pickle.dumps(dataset)), 2, num_workers=2))
    assert len(batches) == len(expected)
    for batch, one in zip(batches, expected, strict=True):
        for name in ("image", "label", "label_1"):
            assert torch.equal(batch[name], one[name])


def test_shuffled_by_the_data_loader(cases: list[Case]) -> None:
    dataset = PatchDataset(cases, 8, **OPTIONS)
    loader = DataLoader(dataset, batch_size=2, shuffle=True)
    seen = [index for batch in loader for index in batch["index"].tolist()]
    assert sorted(seen) == list(range(22)) != seen


def test_the_loader_in_a_data_loader(cases: list[Case]) -> None:
    with PatchLoader(cases, 8, **OPTIONS) as loader, PatchLoader(cases, 8, **OPTIONS) as other:
        assert facts(DataLoader(loader, batch_size=None)) == facts(other)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = DataLoader(
                loader, batch_size=None, num_workers=1, multiprocessing_context="fork"
            )
            with pytest.raises(InvalidUseError, match="PatchDataset"):
                next(iter(wrong))
        with pytest.raises(InvalidUseError):
            pickle.dumps(loader)


def indices(loader: PatchLoader) -> list[Any]:
    return [(batch["index"].tolist(), batch["seed"].tolist()) for batch in loader]


# The device "meta" takes the way of a device without voxels; no machine of the tests has CUDA.
@pytest.mark.parametrize("device", [None, "cpu", "meta"])
def test_resume_at_every_position(cases: list[Case], device: str | None) -> None:
    def make() -> PatchLoader:
        return PatchLoader(cases, 4, device=device, sampler=Balanced(0.5), samples_per_epoch=20)

    with make() as loader, make() as other:
        states, whole = [loader.state_dict()], []
        for batch in loader:
            whole.append((batch["index"].tolist(), batch["seed"].tolist()))
            states.append(loader.state_dict())
        assert loader.epoch == 1
        following = indices(loader)
        assert following != whole
        for position, state in enumerate(states):
            assert len(pickle.dumps(state)) <= 1024
            other.load_state_dict(state)
            assert indices(other) == (whole[position:] or following)
        # A loop that ends at the last batch is followed by the next epoch.
        other.set_epoch(0)
        for some in (whole, following):
            taken = itertools.islice(other, len(whole))
            assert [(b["index"].tolist(), b["seed"].tolist()) for b in taken] == some
        # After a break, the next loop goes on.
        loader.set_epoch(0)
        for batch in loader:
            assert batch["index"].tolist() == [0, 1]
            break
        assert loader.state_dict() == states[1]
        assert indices(loader) == whole[1:]
        loader.set_epoch(1)
        assert indices(loader) == following


def test_on_a_device(cases: list[Case]) -> None:
    with PatchLoader(cases, 8, device="meta", **OPTIONS) as loader:
        batches = list(loader)
        assert len(batches) == 11
        assert all(batch["image"].device.type == "meta" for batch in batches)
        assert all(batch["box"].device.type == "cpu" for batch in batches)


def test_no_batch_is_lost_where_the_next_one_fails(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    with PatchLoader(cases, 8, device="meta", **OPTIONS) as loader:
        whole = indices(loader)
        loader.set_epoch(0)
        for failing in ("take", "_copied"):
            for position in range(1, len(whole)):
                loader.set_epoch(0)
                owner = loader._arrays if failing == "take" else loader
                given, calls = getattr(owner, failing), 0

                def fail(*arguments: Any, given: Any = given, position: int = position) -> Any:
                    nonlocal calls
                    calls += 1
                    if calls == position + 1:
                        raise MemoryError("once")
                    return given(*arguments)

                monkeypatch.setattr(owner, failing, fail)
                found: list[Any] = []
                with pytest.raises(MemoryError):
                    found.extend(
                        (batch["index"].tolist(), batch["seed"].tolist()) for batch in loader
                    )
                assert loader.state_dict()["batches_done"] == len(found)
                assert [*found, *indices(loader)] == whole
                monkeypatch.undo()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_cuda(cases: list[Case]) -> None:
    with (
        PatchLoader(cases, 8, device="cuda", **OPTIONS) as loader,
        PatchLoader(cases, 8, **OPTIONS) as plain,
    ):
        for there, here in zip(loader, plain):
            assert there["image"].is_cuda
            assert torch.equal(there["image"].cpu(), here["image"])


def test_slices_grid_and_folder(cases: list[Case], tmp_path: Path) -> None:
    with PatchLoader(cases, (16, 12), slice_axis=1, samples_per_epoch=4) as loader:
        assert next(iter(loader))["image"].shape == (2, 1, 16, 12)
    MLArray(np.ones((20, 20, 20), np.uint8)).save(tmp_path / "a.mla")
    with PatchLoader.from_folder(
        tmp_path,
        patch_size=8,
        sampler=Grid(),
        drop_last=False,
    ) as loader:
        assert len(list(loader)) == len(loader)
    dataset = PatchDataset(cases, (16, 12), slice_axis=0, samples_per_epoch=4)
    assert dataset[0]["image"].shape == (1, 16, 12)


def test_closing(cases: list[Case]) -> None:
    loader = PatchLoader(cases, 8, **OPTIONS)
    kept = next(iter(loader))
    loader.close()
    assert kept["image"].shape == (2, 1, 8, 8, 8)
    with pytest.raises(ClosedError):
        next(iter(loader))


def test_the_training_step_sees_every_sample(cases: list[Case]) -> None:
    model = torch.nn.Conv3d(1, 3, 3, padding=1)
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    loss = torch.nn.CrossEntropyLoss()
    with PatchLoader(cases, 8, normalize=training.Normalize(0, 300), **OPTIONS) as loader:
        for batch in loader:
            optimizer.zero_grad()
            value = loss(model(batch["image"]), batch["label"][:, 0].long())
            value.backward()
            optimizer.step()
            assert torch.isfinite(value)


def test_start_methods_of_this_system() -> None:
    assert {"fork", "spawn", "forkserver"} <= set(multiprocessing.get_all_start_methods())
