"""One loader in a process of its own: it gives batches for so long when it is told to.

Run by train.py, with the Python of the loader's environment. The first line of stdin is the
setup, each further one a number of seconds; the answers are lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Setup = dict[str, Any]
Array = np.ndarray[Any, Any]


class Draws:
    """Boxes within cases, some of them around a voxel of a class, as all loaders draw them."""

    def __init__(self, setup: Setup) -> None:
        self.shapes = [tuple(case["shape"]) for case in setup["cases"]]
        self.centers = [np.load(case["centers"]) for case in setup["cases"]]
        self.patch = np.array(setup["patch"])
        self.foreground = setup["foreground"]

    def draw(self, random: np.random.Generator) -> tuple[int, tuple[slice, ...]]:
        case = int(random.integers(len(self.shapes)))
        most = np.array(self.shapes[case]) - self.patch
        if random.random() < self.foreground:
            lists = self.centers[case]
            start = lists[random.integers(len(lists))] - self.patch // 2
        else:
            start = random.integers(0, most + 1)
        start = np.clip(start, 0, most)
        return case, tuple(slice(int(a), int(a + n)) for a, n in zip(start, self.patch))


def ours(setup: Setup) -> Iterator[int]:
    """mlarray.torch.PatchLoader."""
    from mlarray.torch import PatchLoader
    from mlarray.training import Balanced, Case, Uniform

    cases = [Case(case["image"], case["label"]) for case in setup["cases"]]
    slices = setup["patch"][0] == 1
    loader = PatchLoader(
        cases,
        setup["patch"][1:] if slices else setup["patch"],
        setup["batch"],
        slice_axis=0 if slices else None,
        sampler=Balanced(setup["foreground"]) if setup["foreground"] else Uniform(),
        samples_per_epoch=10**9,
        prefetch_bytes=64 << 20,
    )
    for batch in loader:
        yield len(batch["case"])


def reference(setup: Setup) -> Iterator[int]:
    """A DataLoader over files that stay open, as a user of the reference writes it."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    from mlarray import MLArray

    draws = Draws(setup)

    class Patches(Dataset):  # type: ignore[misc]
        def __init__(self) -> None:
            self.open: dict[str, Any] = {}

        def __len__(self) -> int:
            return 10**9

        def read(self, path: str, box: tuple[slice, ...]) -> Array:
            if path not in self.open:
                self.open[path] = MLArray.open(path)
            return np.asarray(self.open[path][box])

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            number, box = draws.draw(np.random.default_rng(index))
            case = setup["cases"][number]
            image = self.read(case["image"], box).astype(np.float32)
            return torch.from_numpy(image[None]), torch.from_numpy(
                self.read(case["label"], box)[None]
            )

    workers = setup["workers"]
    torch.set_num_threads(1)
    # An epoch without end: a sampler of as many indices in a list would not fit.
    loader = DataLoader(
        Patches(), setup["batch"], sampler=_Counting(), num_workers=workers, drop_last=True
    )
    for image, _ in loader:
        yield len(image)


class _Counting:
    def __iter__(self) -> Iterator[int]:
        return iter(range(10**9))

    def __len__(self) -> int:
        return 10**9


def monai(setup: Setup) -> Iterator[int]:
    """MONAI without cache: files are read whole, then cropped."""
    import torch
    from monai.data import DataLoader
    from monai.data import Dataset as Plain
    from monai.transforms import Compose, LoadImaged, RandCropByPosNegLabeld

    share = setup["foreground"]
    transform = Compose(
        [
            LoadImaged(["image", "label"], ensure_channel_first=True),
            RandCropByPosNegLabeld(
                ["image", "label"],
                label_key="label",
                spatial_size=setup["patch"],
                pos=share,
                neg=1 - share,
                num_samples=1,
            ),
        ]
    )
    torch.set_num_threads(1)
    files = [{"image": c["image"], "label": c["label"]} for c in setup["cases"]]
    loader = DataLoader(
        Plain(files * 1000, transform), batch_size=setup["batch"], num_workers=setup["workers"]
    )
    for batch in loader:
        yield len(batch["image"])


def torchio(setup: Setup) -> Iterator[int]:
    """TorchIO's Queue, 8 patches of a volume, as its page has it."""
    import torch
    import torchio as tio

    subjects = [
        tio.Subject(image=tio.ScalarImage(c["image"]), label=tio.LabelMap(c["label"]))
        for c in setup["cases"]
    ]
    torch.set_num_threads(1)
    queue = tio.Queue(
        tio.SubjectsDataset(subjects * 1000),
        max_length=32,
        samples_per_volume=8,
        sampler=tio.LabelSampler(setup["patch"], "label"),
        num_workers=setup["workers"],
    )
    loader = tio.SubjectsLoader(queue, batch_size=setup["batch"], num_workers=0)
    for batch in loader:
        yield len(batch["image"]["data"])


def nnunet(setup: Setup) -> Iterator[int]:
    """nnU-Net's own loader on its folder."""
    import train_nnunet_loaders

    return train_nnunet_loaders.stock(setup)


def nnunet_ours(setup: Setup) -> Iterator[int]:
    """Ours on that folder."""
    import train_nnunet_loaders

    return train_nnunet_loaders.ours(setup)


def pipeline(setup: Setup) -> Iterator[int]:
    """With augmentation, by the library behind the colon."""
    import train_pipelines

    return train_pipelines.LOADERS[setup["loader"].partition(":")[2]](setup)


def medh5(setup: Setup) -> Iterator[int]:
    """medh5's PatchDataset, with labels as one plane and the index that it draws from."""
    import torch
    from medh5.sampling import PatchSampler
    from medh5.torch import PatchDataset
    from torch.utils.data import DataLoader

    share = setup["foreground"]
    patches = PatchDataset(
        [case["image"] for case in setup["cases"]] * 1000,
        PatchSampler(
            tuple(setup["patch"]),
            strategy="balanced" if share else "uniform",
            foreground_prob=share,
        ),
        samples_per_volume=1,
        annotations={"label": ()},
        label_format="labelmap",
        physical=False,
    )
    torch.set_num_threads(1)
    loader = DataLoader(
        patches,
        batch_size=setup["batch"],
        num_workers=setup["workers"],
        collate_fn=_collate_shared,
    )
    while True:
        for batch in loader:
            yield len(batch["images"]["image"])


def _collate_shared(samples: list[Any]) -> Any:
    """A batch of what all samples have: only those around a class say which one it is."""
    from torch.utils.data import default_collate

    return default_collate(shared(samples))


def shared(values: list[Any]) -> list[Any]:
    """Dicts without what one of them lacks, or has as None."""
    if not isinstance(values[0], dict):
        return values
    names = [name for name in values[0] if all(one.get(name) is not None for one in values)]
    columns = {name: shared([one[name] for one in values]) for name in names}
    return [{name: columns[name][i] for name in names} for i in range(len(values))]


LOADERS = {
    "ours": ours,
    "pipeline": pipeline,
    "reference": reference,
    "monai": monai,
    "torchio": torchio,
    "medh5": medh5,
    "nnunet": nnunet,
    "nnunet_ours": nnunet_ours,
}


def processor_seconds() -> float:
    """Of this process and those that it has started."""
    ticks = sum(os.times()[:2]) * os.sysconf("SC_CLK_TCK")
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def save(setup: Setup) -> None:
    """Write files with the library of this environment."""
    if "nnunet_save" in setup:
        import train_nnunet_loaders

        train_nnunet_loaders.save(setup)
        return
    if setup["save"][0][-1].endswith(".medh5"):
        for image, label, target in setup["save"]:
            _save_medh5(np.load(image), np.load(label), target)
        return
    from mlarray import MLArray

    for source, target in setup["save"]:
        voxels = np.load(source)
        if target.endswith(".mla"):
            MLArray(voxels).save(target, **setup.get("options", {}))
        else:
            _save_b2nd(voxels, target)


def _save_medh5(image: Array, label: Array, target: str) -> None:
    from medh5 import create
    from medh5.labels import from_keys

    names = {int(value): f"label{value}" for value in np.unique(label) if value}
    with create(target, sample_id="a", subject_id="a") as writer:
        writer.label_set(from_keys(list(names.values()), id="labels"))
        writer.add_timepoint("tp0", label="baseline", days_from_baseline=0)
        place = {"spacing": (1.0,) * 3, "origin": (0.0,) * 3, "timepoint": "tp0"}
        writer.add_grid("grid", shape=image.shape, **place)
        writer.add_image("image", image, grid="grid", modality="CT")
        writer.add_segmentation("label", grid="grid", labelmap=label, label_values=names)
        writer.build_index(["label"])


def _save_b2nd(voxels: Array, target: str) -> None:
    """As nnU-Net 2 saves what it has preprocessed: blocks for a patch, channels first."""
    import blosc2

    blosc2.set_nthreads(1)
    block = (1, *(min(64, n) for n in voxels.shape))
    chunk = (1, *(min(128, n) for n in voxels.shape))
    blosc2.asarray(
        np.ascontiguousarray(voxels[None]),
        urlpath=target,
        mode="w",
        chunks=chunk,
        blocks=block,
        cparams={"codec": blosc2.Codec.ZSTD, "clevel": 8},
    )


def scale(setup: Setup) -> dict[str, Any]:
    """Many cases: memory, the first batch, going on in the middle of an epoch."""
    from mlarray.training import Balanced, Case, PatchLoader

    def resident() -> int:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon"):  # pages of mapped files are the system's
                return int(line.split()[1]) * 1024
        raise AssertionError

    def cases() -> Iterator[Case]:
        with open(setup["list"], encoding="utf-8") as lines:
            for line in lines:
                image, label = line.split()
                yield Case(image, label)

    many = list(cases())
    before = resident()
    start = time.perf_counter()
    loader = PatchLoader(
        many,
        setup["patch"],
        setup["batch"],
        sampler=Balanced(1 / 3),
        samples_per_epoch=10**6,
        prefetch_bytes=setup["prefetch_bytes"],
    )
    made = time.perf_counter() - start
    batches = iter(loader)
    next(batches)
    first = time.perf_counter() - start
    del many
    for _ in range(setup["batches"]):
        next(batches)
    after = resident()
    state = loader.state_dict()
    state["batches_done"] += 1000
    start = time.perf_counter()
    loader.load_state_dict(state)
    resumed = time.perf_counter() - start
    next(batches)
    again = time.perf_counter() - start
    loader.close()
    return {
        "made": made,
        "first_batch": first,
        "more_bytes": after - before,
        "resume": resumed,
        "batch_after_resume": again,
        "state_bytes": len(json.dumps(state)),
    }


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(what: object) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    setup: Setup = json.loads(sys.stdin.readline())
    if "save" in setup or "nnunet_save" in setup:
        save(setup)
        answer("saved")
        return
    if setup["loader"] == "scale":
        answer(scale(setup))
        return
    start = time.perf_counter()
    batches = LOADERS[setup["loader"].partition(":")[0]](setup)
    next(batches)
    answer(time.perf_counter() - start)
    for line in sys.stdin:
        seconds = float(line)
        # What was read ahead since the last turn does not count.
        end = time.perf_counter() + seconds / 4
        while time.perf_counter() < end:
            next(batches)
        samples, start, spent = 0, time.perf_counter(), processor_seconds()
        while time.perf_counter() < start + seconds:
            samples += next(batches)
        passed = time.perf_counter() - start
        told = {"rate": samples / passed, "samples": samples}
        told["processor_seconds"] = processor_seconds() - spent
        answer({**told, **setup.get("facts", dict)()})


def leave(*_: object) -> None:
    """Workers of other libraries take long to end, or do not notice that we have."""
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    with contextlib.suppress(KeyboardInterrupt):
        main()
    sys.stdout.flush()
    leave()
