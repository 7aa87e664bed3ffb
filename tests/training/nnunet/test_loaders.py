"""Our trainer's batches are those that nnU-Net's own loader would give."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
import pytest
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from folders import BOTH, IGNORED, LABELS, REGIONS, Maker, shells, write_case
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from mlarray.errors import InvalidUseError, InvalidValueError, NotFoundError
from mlarray.torch.nnunet import _seeds
from mlarray.training import Balanced, Case, PatchLoader, augment

KINDS: dict[str, dict[str, Any]] = {
    "3-D": {"patch": (16, 12, 20)},
    "channels": {
        "patch": (16, 16, 16),
        "channels": 3,
        "use_mask_for_norm": [True, False, True],
    },
    "regions": {"patch": (16, 12, 20), "labels": REGIONS},
    "ignored": {"patch": (16, 12, 20), "labels": IGNORED},
    "regions, ignored": {"patch": (16, 12, 20), "labels": BOTH},
    "dummy 2-D": {"patch": (4, 16, 20)},
    "2-D": {"patch": (16, 20), "batch": 5},
    "larger than the images": {"patch": (40, 32, 36)},
}


def stock_samples(trainer: Any, batch: dict[str, Any]) -> list[Any]:
    """What nnU-Net's functions crop of the boxes of a batch: image and label."""
    folder = Path(trainer.preprocessed_dataset_folder)
    samples = []
    for name, box in zip(batch["keys"], batch["box"].tolist(), strict=True):
        image = blosc2.open(urlpath=str(folder / f"{name}.b2nd"), mode="r")
        label = blosc2.open(urlpath=str(folder / f"{name}_seg.b2nd"), mode="r")
        sides = [list(side) for side in zip(*box, strict=True)]
        made = [
            torch.from_numpy(crop_and_pad_nd(image, sides, 0)).float(),
            torch.from_numpy(crop_and_pad_nd(label, sides, -1, cast_cropped_to=np.int16)),
        ]
        flat = len(trainer.configuration_manager.patch_size) == 2
        samples.append([one[:, 0] if flat else one for one in made])
    return samples


def with_facts(batches: Any) -> dict[str, Any]:
    """The next batch, and boxes and seeds of its samples."""
    raw = next(iter(batches.loader))
    batches._epoch = iter([raw])
    return {**next(batches), "box": raw["box"], "seed": raw["seed"]}


def transforms_for_validation(trainer: Any) -> Any:
    manager = trainer.label_manager
    return trainer.get_validation_transforms(
        trainer._get_deep_supervision_scales(),
        is_cascaded=trainer.is_cascaded,
        foreground_labels=manager.foreground_labels,
        regions=manager.foreground_regions if manager.has_regions else None,
        ignore_label=manager.ignore_label,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_batches(make_trainer: Maker, kind: str) -> None:
    trainer = make_trainer(**KINDS[kind])
    training, validation = trainer.get_dataloaders()
    seen = 0
    for _ in range(4):
        batch = with_facts(validation)
        assert batch["data"].dtype == torch.float32
        stock = transforms_for_validation(trainer)
        for item, (image, label) in enumerate(stock_samples(trainer, batch)):
            wanted = stock(image=image, segmentation=label)
            torch.testing.assert_close(batch["data"][item], wanted["image"], rtol=0, atol=0)
            for ours, theirs in zip(batch["target"], wanted["segmentation"], strict=True):
                assert ours.dtype == theirs.dtype
                torch.testing.assert_close(ours[item], theirs, rtol=0, atol=0)
    pipeline = training.transform
    for _ in range(6):
        batch = with_facts(training)
        for item, (image, label) in enumerate(stock_samples(trainer, batch)):
            seed = int(batch["seed"][item]) % 2**64
            made, labels = pipeline.apply(image.numpy(), label.numpy(), seed=seed)
            np.testing.assert_array_equal(batch["data"][item].numpy(), made)
            for ours, theirs in zip(batch["target"], labels, strict=True):
                np.testing.assert_array_equal(ours[item].numpy(), theirs)
            seen += pipeline.draw(seed)["matrix"] is not None
    assert seen > 0
    trainer.dataloader_train, trainer.dataloader_val = training, validation
    trainer.train_step(next(training))
    with torch.no_grad():
        trainer.validation_step(next(validation))
    training.close()
    validation.close()


def test_the_preset_is_that_of_the_trainer(make_trainer: Maker) -> None:
    trainer = make_trainer((4, 16, 20), channels=2, use_mask_for_norm=[False, True])
    training, validation = trainer.get_dataloaders()
    scales = trainer._get_deep_supervision_scales()
    wanted = augment.nnunet((4, 16, 20), masked_channels=[1], scales=scales)
    assert training.transform == wanted
    assert wanted.value["spatial"]["planar"]
    assert validation.transform == augment.nnunet((4, 16, 20), scales=scales, validation=True)
    training.close()
    validation.close()


def test_without_deep_supervision(make_trainer: Maker) -> None:
    trainer = make_trainer((16, 16, 16), initialize=False)
    trainer.enable_deep_supervision = False
    trainer.initialize()
    loaders = trainer.get_dataloaders()
    for batches in loaders:
        target = next(batches)["target"]
        assert target.shape == (2, 1, 16, 16, 16)
        assert target.dtype == torch.int16
        batches.close()


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Kolmogorov's and Smirnov's, of two samples of whole numbers."""
    low = min(a.min(), b.min())
    shares = [np.cumsum(np.bincount(x - low, minlength=1000)) / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


SHAPES = [
    # image, patch, labels
    ((40, 40, 40), (16, 16, 16), LABELS),
    ((24, 36, 30), (16, 12, 20), LABELS),
    ((12, 60, 21), (16, 16, 16), LABELS),
    ((6, 5, 7), (8, 8, 8), LABELS),
    ((8, 8, 8), (8, 8, 8), LABELS),
    ((9, 40, 44), (4, 20, 20), LABELS),
    ((20, 33, 31), (24, 20), LABELS),
    ((1, 48, 40), (32, 24), LABELS),
    ((30, 31, 29), (15, 17, 13), IGNORED),
    ((26, 27, 41), (8, 12, 8), BOTH),
]


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_boxes_have_the_distribution_of_get_bbox(
    make_trainer: Maker, base: Path, number: int
) -> None:
    shape, patch, labels = SHAPES[number]
    trainer = make_trainer(patch, [shape], labels, batch=50)
    trainer.mlarray_seed = number
    training, validation = trainer.get_dataloaders()
    dataset, _ = trainer.get_tr_and_val_datasets()
    stock = nnUNetDataLoader(
        dataset,
        50,
        training.transform.initial,
        patch,
        trainer.label_manager,
        trainer.oversample_foreground_percent,
    )
    lists = dataset.load_case("case_0")[3]["class_locations"]
    count = 100_000
    np.random.seed(number)
    forced = [stock.get_do_oversample(item) for item in range(50)]
    size = np.array(shape)
    theirs = np.array([stock.get_bbox(size, forced[i % 50], lists)[0] for i in range(count)])
    ours = []
    with without_augmentation(base, training, trainer, count) as plain:
        for batch in plain:
            if not ours:  # the same draws as the trainer's
                assert batch["box"].tolist() == next(iter(training.loader))["box"].tolist()
            ours.append(batch["box"][:, 0])
            if len(ours) == len(plain):
                break
    mine = np.concatenate(ours)
    where = np.arange(count) % 50 >= 50 - sum(forced)
    for axis in range(3):
        assert distance(mine[:, axis], theirs[:, axis]) <= 0.01, axis
        assert distance(mine[where, axis], theirs[where, axis]) <= 0.02, axis
    training.close()
    validation.close()


def without_augmentation(base: Path, training: Any, trainer: Any, count: int) -> PatchLoader:
    """The sampler of a trainer's loader, without the work."""
    folder = base / "nnUNetPlans_3d_fullres"
    pipeline, manager = training.transform, trainer.label_manager
    label = folder / "case_0_seg.b2nd"  # is read as the image, too: less work
    return PatchLoader(
        [Case(label, label, class_locations=folder / "case_0.pkl")],
        pipeline.initial,
        50,
        sampler=Balanced(
            trainer.oversample_foreground_percent,
            forced="last",
            border="nnunet",
            pad=[a - b for a, b in zip(pipeline.initial, pipeline.patch, strict=True)],
            others=[-1, *manager.all_labels] if manager.has_ignore_label else (),
        ),
        samples_per_epoch=count,
        seed=_seeds(trainer)[0],
        image_dtype="stored",
        label_fill=-1,
        slice_axis=0 if len(pipeline.patch) == 2 else None,
        prefetch_bytes=16 << 20,
    )


def test_probabilistic_oversampling(make_trainer: Maker) -> None:
    trainer = make_trainer((16, 16, 16), batch=5)
    trainer.probabilistic_oversampling = True
    trainer.oversample_foreground_percent = 0.4
    training, validation = trainer.get_dataloaders()
    classes = [batch["class"].numpy() for batch in islice(training.loader, 200)]
    drawn = np.stack(classes) >= 0
    assert abs(drawn.mean() - 0.4) < 0.07
    assert (np.abs(drawn.mean(0) - 0.4) < 0.15).all()
    training.close()
    validation.close()


def boxes(trainer: Any, epoch: int = 0) -> Any:
    trainer.current_epoch = epoch
    training, validation = trainer.get_dataloaders()
    batch = next(iter(training.loader))
    training.close()
    validation.close()
    return [batch["case"].tolist(), batch["box"].tolist(), batch["seed"].tolist()]


def test_seeds_ranks_and_epochs(make_trainer: Maker) -> None:
    trainer = make_trainer((16, 16, 16), batch=8)
    assert boxes(trainer) != boxes(trainer)  # as nnU-Net has it
    trainer.mlarray_seed = 3
    first = boxes(trainer)
    assert boxes(trainer) == first
    assert boxes(trainer, 1) != first
    trainer.local_rank = 1
    assert boxes(trainer) != first


def test_epochs_follow_each_other(make_trainer: Maker) -> None:
    trainer = make_trainer((8, 8, 8))
    trainer.num_iterations_per_epoch = 3
    trainer.mlarray_seed = 3
    training, validation = trainer.get_dataloaders()
    data = [next(training)["data"].sum().item() for _ in range(8)]
    assert len(set(data)) == 8
    trainer.current_epoch = 1
    again, other = trainer.get_dataloaders()
    assert [next(again)["data"].sum().item() for _ in range(3)] == data[3:6]
    for loader in (training, validation, again, other):
        loader.close()


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_each_rank_has_its_part_of_the_batch(
    make_trainer: Maker, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    trainer = make_trainer((8, 8, 8), batch=7)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    trainer.is_ddp, trainer.local_rank = True, rank
    trainer._set_batch_size_and_oversample()
    training, validation = trainer.get_dataloaders()
    batch = next(iter(training.loader))
    assert len(batch["case"]) == [3, 2, 2][rank]
    # Of 7, the last 2 are forced: 7 (1 - 0.33) is 4.69.
    assert (batch["class"] >= 0).tolist() == [[False] * 3, [False] * 2, [True] * 2][rank]
    training.close()
    validation.close()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_threads_as_nnunet_has_processes(
    make_trainer: Maker, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("nnUNet_n_proc_DA", str(count))
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    trainer = make_trainer((8, 8, 8))
    before = threading.active_count(), len(list(Path("/proc/self/task").iterdir()))
    training, validation = trainer.get_dataloaders()
    next(training)
    next(validation)
    after = threading.active_count(), len(list(Path("/proc/self/task").iterdir()))
    assert after[0] == before[0]
    assert after[1] - before[1] == max(1, count) + max(1, count // 2)
    training.close()
    validation.close()
    assert len(list(Path("/proc/self/task").iterdir())) == before[1]


def test_an_image_without_foreground(make_trainer: Maker, base: Path) -> None:
    trainer = make_trainer((8, 8, 8), [(20, 20, 20)])
    label = np.zeros((1, 20, 20, 20), np.int8)
    folder = base / "nnUNetPlans_3d_fullres"
    write_case(folder, "case_0", label.astype(np.float32), label, (8, 8, 8), LABELS)
    training, validation = trainer.get_dataloaders()
    with pytest.warns(UserWarning, match="case_0.*no foreground"):
        batch = next(training)
    assert int(batch["target"][0].max()) == 0
    training.close()
    validation.close()


def test_the_second_stage_of_a_cascade(make_trainer: Maker, base: Path) -> None:
    trainer = make_trainer((16, 12, 20), previous_stage="3d_lowres")
    folder = Path(trainer.folder_with_segs_from_previous_stage)
    folder.mkdir(parents=True)
    for number, shape in enumerate(((24, 28, 26), (30, 22, 34), (21, 33, 27))):
        earlier = np.maximum(shells(shape, number + 9)[0], 0).astype(np.uint8)
        sizes = {"chunks_seg": shape, "blocks_seg": (8, 8, 8)}
        nnUNetDatasetBlosc2.save_seg(earlier, str(folder / f"case_{number}"), **sizes)
    training, validation = trainer.get_dataloaders()
    assert training.transform.value["labels"]["cascade"]["p_operator"] == 0.4
    stock = transforms_for_validation(trainer)
    samples = zip_with_earlier(trainer, with_facts(validation), folder)
    for ours, (image, label) in samples:
        wanted = stock(image=image, segmentation=label)
        torch.testing.assert_close(ours["data"], wanted["image"], rtol=0, atol=0)
        for made, theirs in zip(ours["target"], wanted["segmentation"], strict=True):
            torch.testing.assert_close(made, theirs, rtol=0, atol=0)
    for _ in range(4):
        for ours, (image, label) in zip_with_earlier(trainer, with_facts(training), folder):
            made, labels = training.transform.apply(
                image.numpy(), label.numpy(), seed=ours["seed"]
            )
            np.testing.assert_array_equal(ours["data"].numpy(), made)
            np.testing.assert_array_equal(ours["target"][0].numpy(), labels[0])
    training.close()
    validation.close()


def zip_with_earlier(trainer: Any, batch: dict[str, Any], folder: Path) -> list[Any]:
    """Each sample of a batch, and what nnU-Net crops for it: with the earlier segmentation."""
    found = []
    for item, (image, label) in enumerate(stock_samples(trainer, batch)):
        path = str(folder / f"{batch['keys'][item]}.b2nd")
        sides = [list(side) for side in zip(*batch["box"][item].tolist(), strict=True)]
        earlier = blosc2.open(urlpath=path, mode="r")
        part = crop_and_pad_nd(earlier, sides, -1, cast_cropped_to=np.int16)
        ours = {
            "data": batch["data"][item],
            "target": [one[item] for one in batch["target"]],
            "seed": int(batch["seed"][item]) % 2**64,
        }
        both = torch.cat((label, torch.from_numpy(part)[None]))
        found.append((ours, (image, both)))
    return found


def test_the_pkl_is_read_once(make_trainer: Maker, base: Path) -> None:
    trainer = make_trainer((8, 8, 8))
    for loader in trainer.get_dataloaders():
        next(loader)
        loader.close()
    kept = list((base / "mlarray_label_index").iterdir())
    assert kept
    assert all(file.is_file() for file in (base / "nnUNetPlans_3d_fullres").iterdir())


def test_what_is_refused(make_trainer: Maker, base: Path) -> None:
    trainer = make_trainer((8, 8, 8))
    kind = type(trainer)
    own = recursive_find_trainer_class_by_name("nnUNetTrainerDA5")
    mixed = type("Mixed", (kind, own), {})
    trainer.__class__ = mixed
    with pytest.raises(InvalidUseError, match=r"Mixed: nnUNetTrainerDA5 changes get_training"):
        trainer.get_dataloaders()
    trainer.__class__ = type("Turning", (kind,), {})
    normal = kind.configure_rotation_dummyDA_mirroring_and_inital_patch_size
    mixed = trainer.__class__
    mixed.configure_rotation_dummyDA_mirroring_and_inital_patch_size = lambda self: (
        (0.0, 1.0),
        *normal(self)[1:],
    )
    with pytest.raises(InvalidUseError, match=r"Turning: rotations of \(0.0, 1.0\)"):
        trainer.get_dataloaders()
    trainer.__class__ = type("Larger", (kind,), {})
    trainer.__class__.mlarray_pipeline = lambda self, pipeline: augment.nnunet((12, 12, 12))
    with pytest.raises(InvalidValueError, match=r"Larger.mlarray_pipeline changed 'patch'"):
        trainer.get_dataloaders()
    trainer.__class__.mlarray_pipeline = lambda self, pipeline: None
    with pytest.raises(InvalidUseError, match=r"returned a NoneType"):
        trainer.get_dataloaders()
    trainer.__class__ = kind
    (base / "nnUNetPlans_3d_fullres" / "case_1.pkl").unlink()
    with pytest.raises(NotFoundError, match=r"has no 'case_1.pkl'; preprocess"):
        trainer.get_dataloaders()


def test_trainers_that_change_other_things(make_trainer: Maker) -> None:
    trainer = make_trainer((8, 8, 8))
    kind = type(trainer)
    own = recursive_find_trainer_class_by_name("nnUNetTrainerNoMirroring")

    def without_noise(self: Any, pipeline: augment.Pipeline) -> augment.Pipeline:
        value = pipeline.value
        value["intensity"] = value["intensity"][1:]
        return augment.Pipeline(value)

    trainer.__class__ = type("Mixed", (kind, own), {"mlarray_pipeline": without_noise})
    training, validation = trainer.get_dataloaders()
    assert training.transform.value["mirror_axes"] == []
    assert len(training.transform.value["intensity"]) == 6
    next(training)
    training.close()
    validation.close()
