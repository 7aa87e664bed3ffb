"""`mlarray.torch.sliding_window` against models applied to whole images."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mlarray import MLArray, _core, errors
from mlarray.torch import PatchLoader, sliding_window
from mlarray.training import Case, Listed, Normalize
from pages import ROOT, run_page

SHAPE = (21, 34, 17)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Two images of one grid, the second with two channels."""
    random = np.random.default_rng(3)
    first = random.integers(-100, 100, SHAPE).astype(np.int16)
    second = random.normal(0, 1, (*SHAPE, 2)).astype(np.float32)
    MLArray(first, spacing=(1, 2, 3)).save(tmp_path / "a.mla", patch_size=8)
    labels = ["spatial"] * 3 + ["channel"]
    MLArray(second, spacing=(1, 2, 3), axis_labels=labels).save(tmp_path / "b.mla")
    return [tmp_path / "a.mla", tmp_path / "b.mla"]


def stacked(images: list[Path]) -> np.ndarray[Any, Any]:
    first, second = (MLArray.open(path)[...] for path in images)
    return np.stack([first.astype(np.float32), second[..., 0], second[..., 1]])


def pointwise(channels: int, classes: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Conv3d(channels, classes, 1)


def whole(model: torch.nn.Module, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        found: np.ndarray[Any, Any] = model(torch.from_numpy(image)[None])[0].numpy()
    return found


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("patch_size", [16, (12, 40, 1), (30, 36, 20)])
def test_equals_a_pointwise_model_of_the_whole_image(
    tmp_path: Path, images: list[Path], batch_size: int, patch_size: Any
) -> None:
    model = pointwise(3, 4)
    found = sliding_window(
        model,
        images,
        patch_size,
        out=tmp_path / "p.mla",
        batch_size=batch_size,
        output="logits",
        mirror_axes=(0, 2),
    )
    expected = whole(model, stacked(images))
    np.testing.assert_allclose(found[...], expected, rtol=1e-5, atol=1e-3)
    assert found.spacing == [1, 2, 3]
    labels = sliding_window(model, images, patch_size, out=tmp_path / "p.mla")
    gap = np.diff(np.sort(expected, 0)[-2:], axis=0)[0]
    same = labels[...] == expected.argmax(0)
    assert same[gap > 0.01].all()


def test_mirrored_predictions_are_flipped_back(tmp_path: Path, images: list[Path]) -> None:
    torch.manual_seed(1)
    model = torch.nn.Conv3d(1, 2, 3, padding=1)
    image = MLArray.open(images[0])[...].astype(np.float32)[None]
    found = sliding_window(
        model, images[0], SHAPE, out=tmp_path / "p.mla", output="logits", mirror_axes=(0, 1, 2)
    )
    total = np.zeros((2, *SHAPE), np.float32)
    for dims in [(), (1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)]:
        total += np.flip(whole(model, np.flip(image, dims).copy()), dims)
    np.testing.assert_allclose(found[...], total / 8, rtol=1e-4, atol=1e-3)


def identity(batch: torch.Tensor) -> torch.Tensor:
    return batch


@pytest.mark.parametrize(
    "normalize",
    [
        Normalize.patch(),
        Normalize.stats(),
        Normalize.stats(clip=True),
        Normalize(3, [2, 0.5, 0], low=[None, -1, 0], high=50),
        Normalize(1, 2),
    ],
)
def test_normalizes_as_the_loader_does(
    tmp_path: Path, images: list[Path], normalize: Normalize
) -> None:
    for path in images:
        with MLArray.open(path, mode="r+") as image:
            image.compute_statistics()
    size = (8, 40, 9)  # longer than the image along one axis
    batches: list[torch.Tensor] = []

    def keep(batch: torch.Tensor) -> torch.Tensor:
        batches.append(batch.clone())
        return batch

    options = {"overlap": 0.0, "output": "logits", "padding": "edge"}
    sliding_window(keep, images, size, out=tmp_path / "p.mla", normalize=normalize, **options)
    boxes = _core.Aggregator.boxes_of(SHAPE, size, step=None, overlap=0.0)
    case = Case(image=[str(path) for path in images])
    sampler = Listed([(0, start) for start, _ in boxes])
    with PatchLoader(
        [case], size, batch_size=1, sampler=sampler, normalize=normalize, padding="edge"
    ) as loader:
        expected = [batch["image"] for batch in loader]
    assert len(expected) == len(batches) > 4
    for found, wanted in zip(batches, expected):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_normalizes_by_a_function(tmp_path: Path, images: list[Path]) -> None:
    raw = MLArray.open(images[0])[...].astype(np.float32)
    found = sliding_window(
        identity,
        images[0],
        8,
        out=tmp_path / "p.mla",
        output="logits",
        normalize=lambda patch: patch / 2 + 1,
    )
    np.testing.assert_allclose(found[0], raw / 2 + 1, atol=1e-4)


def test_refuses_what_it_cannot_normalize_by(tmp_path: Path, images: list[Path]) -> None:
    for normalize, message in (
        (Normalize.stats(), r"a\.mla.*compute_statistics"),
        (Normalize.foreground(), "needs labels"),
    ):
        with pytest.raises(errors.InvalidUseError, match=message):
            sliding_window(identity, images, 8, out=tmp_path / "p.mla", normalize=normalize)
    with pytest.raises(errors.InvalidValueError, match="2 channels; the images have 3"):
        sliding_window(
            identity, images, 8, out=tmp_path / "p.mla", normalize=Normalize([1, 2], 1)
        )


def test_pads_what_leaves_the_image(tmp_path: Path) -> None:
    MLArray(np.arange(4, dtype=np.float32)).save(tmp_path / "a.mla")
    seen: list[Any] = []

    def model(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch.numpy().tolist())
        return batch

    for padding, edge in (("constant", 7), ("edge", 0), ("reflect", 1)):
        sliding_window(
            model, tmp_path / "a.mla", 6, out=tmp_path / "p.mla", padding=padding, fill=7
        )
        assert seen[-1][0][0][:2] == [edge, 0]


@pytest.mark.parametrize("normalize", [None, Normalize(3, 2), Normalize.patch()])
def test_pads_with_what_the_voxels_cannot_hold(
    tmp_path: Path, normalize: Normalize | None
) -> None:
    MLArray(np.arange(4, dtype=np.uint16)).save(tmp_path / "a.mla")
    seen: list[Any] = []

    def model(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch.numpy().copy())
        return batch

    sliding_window(
        model, tmp_path / "a.mla", 6, out=tmp_path / "p.mla", fill=-1024.5, normalize=normalize
    )
    with PatchLoader(
        [Case(tmp_path / "a.mla")],
        6,
        batch_size=1,
        sampler=Listed([(0, (-1,))]),
        normalize=normalize,
        image_fill=-1024.5,
    ) as loader:
        np.testing.assert_array_equal(seen[0], next(iter(loader))["image"])


def test_resamples_to_the_original_grid(tmp_path: Path, images: list[Path]) -> None:
    model = pointwise(1, 3)
    original = MLArray(np.zeros((42, 17, 17), np.int16), spacing=(0.5, 4, 3))
    found = sliding_window(
        model,
        images[0],
        16,
        out=tmp_path / "p.mla",
        original_shape=original.shape,
        grid=original,
        half_scores=True,
        output="softmax",
        dtype="float16",
    )
    assert found.shape == (3, 42, 17, 17)
    assert found.spacing == [0.5, 4, 3]
    np.testing.assert_allclose(found[...].astype(np.float32).sum(0), 1, atol=0.01)
    with pytest.raises(errors.InvalidUseError, match="original_shape without grid"):
        sliding_window(model, images[0], 16, out=tmp_path / "p.mla", original_shape=SHAPE)


def test_a_module_is_evaluated_and_left_as_it_was(tmp_path: Path, images: list[Path]) -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = torch.nn.Dropout(1.0)
            self.still = torch.nn.Dropout(1.0).eval()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, None]:
            assert torch.is_inference_mode_enabled()
            return self.scale * self.still(self.drop(batch)), None

    model = Model()
    found = sliding_window(
        model, images[0], 16, out=tmp_path / "p.mla", output="logits", autocast=torch.bfloat16
    )
    np.testing.assert_allclose(found[0], MLArray.open(images[0])[...], rtol=0.01, atol=0.5)
    assert model.training
    assert model.drop.training
    assert not model.still.training


def test_tells_its_progress(tmp_path: Path, images: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    sliding_window(
        pointwise(1, 2),
        images[0],
        16,
        out=tmp_path / "p.mla",
        batch_size=5,
        progress=lambda done, total: told.append((done, total)),
    )
    total = told[-1][1]
    assert told == [(min(5 * (i + 1), total), total) for i in range(-(-total // 5))]


def test_what_fails_leaves_nothing(tmp_path: Path, images: list[Path]) -> None:
    before = sorted(os.listdir(tmp_path))
    calls = 0

    def run(model: Any, image: Any = images[0], **options: Any) -> None:
        sliding_window(model, image, 8, out=tmp_path / "p.mla", **options)

    def third(batch: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return batch

    with pytest.raises(KeyboardInterrupt):
        run(third)
    with pytest.raises(errors.InvalidValueError, match=r"\(1, 1, 7, 8, 8\).*\(1, 1, 8, 8, 8\)"):
        run(lambda batch: batch[:, :, 1:])
    with pytest.raises(errors.InvalidTypeError, match="returned a dict"):
        run(lambda batch: {"scores": batch})
    with pytest.raises(errors.InvalidValueError, match=r"p\.mla.*nan"):
        run(lambda batch: batch * float("nan"))
    with pytest.raises(errors.InvalidValueError, match=r"mirror_axes=.*from 0 to 2"):
        run(third, mirror_axes=(3,))
    with pytest.raises(errors.InvalidValueError, match="batch_size=0"):
        run(third, batch_size=0)
    with pytest.raises(errors.InvalidValueError, match=r"overlap 1"):
        run(third, overlap=1)
    with pytest.raises(errors.InvalidTypeError, match="normalize=3"):
        run(third, normalize=3)
    with pytest.raises(errors.InvalidValueError, match="axes of space"):
        run(third, normalize=lambda patch: patch[:, 1:])
    with pytest.raises(errors.InvalidValueError, match="empty"):
        run(third, image=[])
    other = MLArray(np.zeros((3, 4, 5), np.float32))
    with pytest.raises(errors.InvalidValueError, match=r"\(3, 4, 5\).*a\.mla.*\(21, 34, 17\)"):
        run(third, image=[images[0], other])

    damaged = bytearray(images[0].read_bytes())
    damaged[len(damaged) // 2] ^= 255
    images[0].write_bytes(damaged)
    with pytest.raises(errors.CorruptionError, match=r"a\.mla"):
        run(lambda batch: batch)
    assert sorted(os.listdir(tmp_path)) == before
    left = [t.name for t in threading.enumerate() if t.name.startswith("mlarray-")]
    assert left == []


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(ROOT / "docs" / "inference.md")
