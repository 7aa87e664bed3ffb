"""From a folder of scans to a trained model, on the CPU: cases, training, prediction, Dice.

    python train_segmentation.py --output train-demo-output

Cases are made of the MNI152 T1 template that comes in nilearn's wheel (nilearn itself is not
run): each is deformed, shaded and noisy in its own way. What is fluid, grey and white matter is
known by the brightness of the template. A small U-Net learns to tell them from patches of some
cases. The others are predicted patch by patch, and compared with what is true there.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from demo import find_scan
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mlarray import MLArray, set_num_threads
from mlarray.convert import convert
from mlarray.torch import PatchLoader, sliding_window
from mlarray.training import Balanced, Case, Normalize

TISSUES = ("fluid", "grey matter", "white matter")  # labels 1, 2, 3
COLOURS = ListedColormap(["black", "#3b6fd4", "#9a9a9a", "#f4f1e6"])
LIMITS = (0.01, 0.56, 0.75)  # of the template's brightness, between background and tissues
FIRST_SEED = 1000  # no case by which the program was written is among those of its table
GOAL = 0.8  # Dice of each tissue, the mean over the cases that are held out


class UNet(torch.nn.Module):
    """A 3-D U-Net of three levels. Sides of patches are multiples of 4."""

    def __init__(self, classes: int, width: int = 12) -> None:
        super().__init__()
        self.enter = block(1, width)
        self.down = torch.nn.ModuleList(
            [block(width, 2 * width, stride=2), block(2 * width, 4 * width, stride=2)]
        )
        self.up = torch.nn.ModuleList(
            [block(6 * width, 2 * width, layers=1), block(3 * width, width, layers=1)]
        )
        self.leave = torch.nn.Conv3d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skipped = [self.enter(x)]
        for down in self.down:
            skipped.append(down(skipped[-1]))
        x = skipped.pop()
        for up in self.up:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = up(torch.cat([x, skipped.pop()], 1))
        return self.leave(x)


def block(channels: int, width: int, stride: int = 1, layers: int = 2) -> torch.nn.Sequential:
    """Convolutions of 3 x 3 x 3, the first one with the stride."""
    parts: list[torch.nn.Module] = []
    for _ in range(layers):
        parts.append(torch.nn.Conv3d(channels, width, 3, stride, 1, bias=False))
        # Not by sample: a patch within the brain would lose how bright it is.
        parts.append(torch.nn.BatchNorm3d(width))
        parts.append(torch.nn.LeakyReLU(0.01, inplace=True))
        channels, stride = width, 1
    return torch.nn.Sequential(*parts)


def loss_of(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus 1 - Dice, the mean over the tissues."""
    truth = F.one_hot(labels, scores.shape[1]).movedim(-1, 1).to(scores.dtype)
    chances = scores.softmax(1)
    over = (0, 2, 3, 4)
    common = 2 * (chances * truth).sum(over)
    dice = (common + 1) / (chances.sum(over) + truth.sum(over) + 1)
    return F.cross_entropy(scores, labels) + 1 - dice[1:].mean()


def dice_of(found: np.ndarray, truth: np.ndarray, classes: int) -> list[float]:
    """Dice of each label above 0."""
    result = []
    for label in range(1, classes):
        a, b = found == label, truth == label
        result.append(float(2 * (a & b).sum() / max(a.sum() + b.sum(), 1)))
    return result


def read_template(scan: Path, voxel: float) -> tuple[torch.Tensor, np.ndarray]:
    """The image and the shares of background and tissues in each voxel, all within 0 and 1:
    (5, *shape), with voxels of about that many mm; and the affine."""
    with tempfile.TemporaryDirectory() as folder:
        convert(scan, Path(folder) / "template.mla")
        template = MLArray(Path(folder) / "template.mla")
    image = torch.from_numpy(np.asarray(template) / np.float32(np.max(template)))
    labels = torch.bucketize(image, torch.tensor(LIMITS))
    shares = F.one_hot(labels, 1 + len(TISSUES)).movedim(-1, 0).float()
    spacing = np.array(template.spacing)
    shape = [round(n * mm / voxel) for n, mm in zip(template.shape, spacing)]
    maps = F.interpolate(torch.cat([image[None], shares])[None], shape, mode="area")[0]
    affine, scale = np.array(template.affine), np.array(template.shape) / shape
    affine[:3, 3] += affine[:3, :3] @ ((scale - 1) / 2)
    affine[:3, :3] *= scale
    return maps, affine


def smooth_noise(
    random: torch.Generator, channels: int, cells: int, shape: torch.Size
) -> torch.Tensor:
    """Random numbers on a coarse grid, interpolated: (channels, *shape)."""
    coarse = torch.randn((1, channels, cells, cells, cells), generator=random)
    return F.interpolate(coarse, shape, mode="trilinear", align_corners=True)[0]


def make_case(maps: torch.Tensor, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image (int16) and its labels (uint8): the template, bent, shaded and noisy."""
    random = torch.Generator().manual_seed(seed)
    shape = maps.shape[1:]
    turn = torch.eye(3) + 0.05 * torch.randn((3, 3), generator=random)
    shift = 0.03 * torch.randn((3, 1), generator=random)
    where = F.affine_grid(torch.cat([turn, shift], 1)[None], [1, 1, *shape], False)
    where += 0.03 * smooth_noise(random, 3, 6, shape).movedim(0, -1)
    image, *shares = F.grid_sample(maps[None], where, align_corners=False)[0]
    outside = 1 - sum(shares)  # 1 beyond the template, where all shares are sampled as 0
    shares[0] += outside
    shade = (0.15 * smooth_noise(random, 1, 4, shape)[0]).exp()
    level, noise = torch.rand(2, generator=random)
    scan = image * shade + (0.01 + 0.02 * noise) * torch.randn(shape, generator=random)
    scan *= 400 * (1 + level)
    labels = torch.stack(shares).argmax(0)
    return scan.round().to(torch.int16).numpy(), labels.to(torch.uint8).numpy()


def make_cases(scan: Path, folder: Path, count: int, voxel: float) -> Iterator[str]:
    """Write imagesTr/NAME.mla and labelsTr/NAME.mla, and yield the names."""
    maps, affine = read_template(scan, voxel)
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        voxels, labels = make_case(maps, FIRST_SEED + number)
        name = f"case{number:02}.mla"
        image = MLArray(voxels, affine=affine)
        image.compute_statistics()  # to normalise by
        image.save(folder / "imagesTr" / name, patch_size=32)
        truth = MLArray(labels, affine=affine)
        truth.save(folder / "labelsTr" / name, patch_size=32, label_index=True)
        yield name


def train(cases: list[Case], patch: int, steps: int, batch_size: int = 4) -> UNet:
    """Train a U-Net on patches, and print the loss ten times."""
    torch.manual_seed(0)
    model = UNet(1 + len(TISSUES))
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    loader = PatchLoader(
        cases,
        patch,
        batch_size,
        sampler=Balanced(foreground=0.9),
        samples_per_epoch=batch_size * steps,
        normalize=Normalize.stats(),
        threads=1,
    )
    start = time.perf_counter()
    total, shown = 0.0, 0
    with loader:
        for step, batch in enumerate(loader, 1):
            loss = loss_of(model(batch["image"]), batch["label"][:, 0].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            if step * 10 // steps > (step - 1) * 10 // steps:
                took = time.perf_counter() - start
                mean = total / (step - shown)
                print(f"      {step:4} of {steps} steps, {took:4.0f} s, loss {mean:.3f}")
                sys.stdout.flush()
                total, shown = 0.0, step
        waited = loader.times.waited
    print(f"      the model waited {waited:.1f} s of {took:.0f} s for patches")
    return model


def draw(image: MLArray, truth: MLArray, found: MLArray, picture: Path) -> None:
    """Image, truth and prediction: a row for each axis, in the middle of it."""
    figure = Figure((9, 9.6), layout="constrained", facecolor="black")
    for row in range(3):
        index: list[slice | int] = [slice(None)] * 3
        index[row] = image.shape[row] // 2
        for column, (title, source) in enumerate(
            (("image", image), ("truth", truth), ("prediction", found))
        ):
            axes = figure.add_subplot(3, 3, 3 * row + column + 1)
            plane = np.asarray(source[tuple(index)]).T
            look = {"cmap": "gray"} if column == 0 else {"cmap": COLOURS, "vmin": 0, "vmax": 3}
            axes.imshow(plane, origin="lower", interpolation="nearest", **look)
            axes.set_axis_off()
            if row == 0:
                axes.set_title(title, color="white")
    figure.savefig(picture, dpi=100)


def step(number: int, text: str) -> None:
    print(f"\n[{number}/5] {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--output", type=Path, default=Path("train-demo-output"), metavar="FOLDER")
    add("--scan", type=Path, help="the template, if nilearn is not installed")
    add("--cases", type=int, default=24, help="a sixth of them is held out (default: 24)")
    add("--voxel", type=float, default=2.0, metavar="MM", help="side of a voxel (default: 2)")
    add("--patch", type=int, default=32, help="its side, a multiple of 4 (default: 32)")
    add("--steps", type=int, default=800, help="of training, four patches each (default: 800)")
    add("--goal", type=float, default=GOAL, help="Dice to reach (default: 0.8)")
    add("--threads", type=int, default=2, help="of the model and of the reader (default: 2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    set_num_threads(options.threads)
    begin = time.perf_counter()
    output: Path = options.output
    for old in ("imagesTr", "labelsTr", "predictions"):
        shutil.rmtree(output / old, ignore_errors=True)

    step(1, f"Making {options.cases} cases of the MNI152 template")
    scan = options.scan or find_scan()
    names = list(make_cases(scan, output, options.cases, options.voxel))
    cases = [Case(output / "imagesTr" / name, output / "labelsTr" / name) for name in names]
    held_out = max(1, len(cases) // 6)
    with MLArray.open(output / "imagesTr" / names[0]) as image:
        shape = " x ".join(map(str, image.shape))
    size = sum(path.stat().st_size for path in output.glob("*sTr/*.mla")) / 1e6
    made = time.perf_counter() - begin
    print(f"      {shape} voxels each, {size:.1f} MB with labels, in {made:.0f} s")

    side = " x ".join([str(options.patch)] * 3)
    step(2, f"Training with {len(cases) - held_out} of them, by patches of {side}")
    start = time.perf_counter()
    model = train(cases[:-held_out], options.patch, options.steps)
    trained = time.perf_counter() - start

    step(3, f"Predicting the other {held_out}")
    (output / "predictions").mkdir(parents=True)
    start = time.perf_counter()
    for name in names[-held_out:]:
        sliding_window(
            model,
            output / "imagesTr" / name,
            2 * options.patch,
            out=output / "predictions" / name,
            overlap=0.25,
            normalize=Normalize.stats(),
        ).close()
        print(f"      {output / 'predictions' / name}", flush=True)
    predicted = time.perf_counter() - start

    step(4, "Comparing with the truth, and drawing")
    scores = []
    for name in names[-held_out:]:
        with (
            MLArray.open(output / "imagesTr" / name) as image,
            MLArray.open(output / "labelsTr" / name) as truth,
            MLArray.open(output / "predictions" / name) as found,
        ):
            if not np.array_equal(found.affine, truth.affine):
                sys.exit("train_segmentation: FAILED: a prediction lies elsewhere")
            scores.append(dice_of(found[...], truth[...], 1 + len(TISSUES)))
            draw(image, truth, found, output / "prediction.png")
    print(f"      {'Dice':<14}{'mean':>7}{'lowest':>8}")
    for tissue, values in zip(TISSUES, np.transpose(scores)):
        print(f"      {tissue:<14}{values.mean():>7.3f}{values.min():>8.3f}")

    step(5, "Summary")
    took = time.perf_counter() - begin
    print(f"      {took:.0f} s: {made:.0f} s cases, {trained:.0f} s training,", end=" ")
    print(f"{predicted:.0f} s prediction, {options.threads} threads")
    reached, lowest = float(np.mean(scores, 0).min()), float(np.min(scores))
    print(
        f"      Dice of each tissue in held-out cases: at least {reached:.3f} on average,",
        end="",
    )
    print(f" {lowest:.3f} in any case")
    print(f"      look at {output / 'prediction.png'}", flush=True)
    if reached < options.goal:
        sys.exit(f"train_segmentation: FAILED: Dice {reached:.3f} is below {options.goal}")


if __name__ == "__main__":
    main()
