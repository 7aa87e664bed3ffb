"""nnU-Net trained twice on the same data: with its own loader, and with mlarray's.

    python side_by_side.py --output nnunet-demo-output --scan MNI152.nii.gz

A data set of 12 small heads is made from one scan, planned and preprocessed by nnU-Net. A
configuration with a patch of 32^3 and three stages is added to its plans, to train on a CPU.
Then nnUNetv2_train runs for each seed on each side, and its validation says how good the models
are. The picture has their losses over each other; results.json has all figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)

DATASET = "Dataset001_Tissues"
CONFIGURATION = "3d_small"
LIMITS = (
    0.05,
    0.56,
    0.75,
)  # of the scan's brightness: background, fluid, grey and white matter
SIDES = {"nnU-Net's loader": "ShortStock", "mlarray's loader": "ShortMLArray"}
STAGES = 3


def template(scan: Path | None, side: int) -> np.ndarray:
    """A head of about side^3 voxels, within 0 and 1; without a scan, one made by formula."""
    if scan is not None:
        image: Any = nibabel.load(scan)
        voxels = torch.from_numpy(np.asarray(image.dataobj, np.float32))
        voxels /= voxels.max()
    else:
        grid = torch.linspace(-1, 1, 96)
        z, y, x = torch.meshgrid(grid, grid, grid, indexing="ij")
        radius = (z * z + (1.2 * y) ** 2 + (1.1 * x) ** 2).sqrt()
        waves = 0.62 + 0.25 * torch.sin(9 * x + 4 * z) * torch.cos(7 * y)
        voxels = torch.where(radius < 0.9, waves.clamp(0.06, 1), 0)
    scale = side / max(voxels.shape)
    shape = [round(length * scale) for length in voxels.shape]
    return F.interpolate(voxels[None, None], shape, mode="area")[0, 0].numpy()


def make_case(head: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image and its labels: the head, bent, shaded and noisy in its own way."""
    random = torch.Generator().manual_seed(seed)

    def waves(channels: int, cells: int) -> torch.Tensor:
        coarse = torch.randn((1, channels, cells, cells, cells), generator=random)
        return F.interpolate(coarse, head.shape, mode="trilinear", align_corners=True)[0]

    source = torch.from_numpy(head)[None, None]
    turn = torch.eye(3) + 0.04 * torch.randn((3, 3), generator=random)
    where = F.affine_grid(torch.cat([turn, torch.zeros(3, 1)], 1)[None], source.shape, False)
    where = where + 0.02 * waves(3, 5).movedim(0, -1)
    bent = F.grid_sample(source, where, align_corners=False)[0, 0]
    labels = torch.bucketize(bent, torch.tensor(LIMITS))
    image = bent * (0.1 * waves(1, 4)[0]).exp()
    image = image + 0.03 * torch.randn(image.shape, generator=random)
    return (1000 * image).round().to(torch.int16).numpy(), labels.to(torch.uint8).numpy()


def write_raw(folder: Path, head: np.ndarray, cases: int) -> None:
    """The data set as nnU-Net wants it, and a head to predict."""
    for name in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    save: Any = nibabel.save
    make: Any = nibabel.Nifti1Image
    for number in range(cases + 1):
        image, label = make_case(head, number)
        part = "Tr" if number < cases else "Ts"
        save(make(image, affine), folder / f"images{part}" / f"case_{number:03}_0000.nii.gz")
        save(make(label, affine), folder / f"labels{part}" / f"case_{number:03}.nii.gz")
    about = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "fluid": 1, "grey": 2, "white": 3},
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(about))


def add_configuration(plans_file: Path, patch: int, features: int) -> None:
    """A smaller network and patch, on the same preprocessed files."""
    plans = json.loads(plans_file.read_text())
    architecture = json.loads(json.dumps(plans["configurations"]["3d_fullres"]["architecture"]))
    options = architecture["arch_kwargs"]
    options["n_stages"] = STAGES
    options["features_per_stage"] = [features << stage for stage in range(STAGES)]
    for name in ("kernel_sizes", "n_conv_per_stage"):
        options[name] = options[name][:STAGES]
    options["strides"] = [[1, 1, 1]] + [[2, 2, 2]] * (STAGES - 1)
    options["n_conv_per_stage_decoder"] = options["n_conv_per_stage_decoder"][: STAGES - 1]
    plans["configurations"][CONFIGURATION] = {
        "inherits_from": "3d_fullres",
        "patch_size": [patch] * 3,
        "batch_size": 2,
        "architecture": architecture,
    }
    plans_file.write_text(json.dumps(plans, indent=1))


class Runner:
    """nnU-Net's commands, with their folders below one of ours."""

    def __init__(self, work: Path, options: argparse.Namespace) -> None:
        from mlarray.cli.nnunet import trainers_folder

        self.work = work
        self.log = work / "nnunet.log"
        own = Path(__file__).resolve().parent / "trainers"
        self.environment = {
            **os.environ,
            "nnUNet_raw": str(work / "raw"),
            "nnUNet_preprocessed": str(work / "preprocessed"),
            "nnUNet_extTrainer": os.pathsep.join([str(own), trainers_folder()]),
            "PYTHONPATH": trainers_folder(),
            "OMP_WAIT_POLICY": "passive",  # loaders need the processors, too
            "nnUNet_n_proc_DA": str(options.processes),
            "nnUNet_def_n_proc": str(options.processes),
            "SIDE_EPOCHS": str(options.epochs),
            "SIDE_ITERATIONS": str(options.iterations),
        }

    def run(self, *command: str, **variables: str) -> None:
        """Errors: SystemExit with the end of what it printed."""
        program = Path(sys.executable).with_name(command[0])
        with self.log.open("a") as log:
            print("$", *command, file=log, flush=True)
            done = subprocess.run(
                [str(program), *command[1:]],
                env={**self.environment, **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        if done.returncode:
            end = "\n".join(self.log.read_text().splitlines()[-40:])
            sys.exit(f"{end}\n{command[0]} failed; {self.log} has all that it printed")


def results_of(folder: Path, trainer: str) -> Path:
    return folder / DATASET / f"{trainer}__nnUNetPlans__{CONFIGURATION}" / "fold_0"


def train(runner: Runner, trainer: str, seed: int) -> dict[str, Any]:
    """One training, and what nnU-Net says of it."""
    folder = runner.work / f"results-{seed}"
    started = time.perf_counter()
    runner.run(
        *("nnUNetv2_train", "1", CONFIGURATION, "0", "-tr", trainer, "-device", "cpu"),
        nnUNet_results=str(folder),
        SIDE_SEED=str(seed),
    )
    seconds = time.perf_counter() - started
    fold = results_of(folder, trainer)
    logged = torch.load(fold / "checkpoint_final.pth", weights_only=False)["logging"]
    summary = json.loads((fold / "validation" / "summary.json").read_text())
    times = [
        end - start
        for start, end in zip(
            logged["epoch_start_timestamps"], logged["epoch_end_timestamps"], strict=True
        )
    ]
    return {
        "seed": seed,
        "dice": summary["foreground_mean"]["Dice"],
        "train_losses": [float(x) for x in logged["train_losses"]],
        "val_losses": [float(x) for x in logged["val_losses"]],
        "pseudo_dice": [float(x) for x in logged["mean_fg_dice"]],
        "epoch_seconds": times,
        "seconds": seconds,
    }


def draw(results: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Losses over each other, and Dice and time of each training."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    losses, dice, times = figure.subplots(1, 3, width_ratios=[2, 1, 1])
    losses.set(title="Loss of each epoch", xlabel="epoch", ylabel="validation: dashed")
    dice.set(title="Dice of the validation cases")
    times.set(title="Seconds an epoch")
    for number, (side, runs) in enumerate(results.items()):
        colour = ("#30638e", "#d1495b")[number]
        for run in runs:
            losses.plot(run["train_losses"], color=colour, alpha=0.6)
            losses.plot(run["val_losses"], color=colour, alpha=0.6, linestyle="--")
        losses.plot([], [], color=colour, label=side)
        dice.plot([number] * len(runs), [run["dice"] for run in runs], "o", color=colour)
        means = [float(np.mean(run["epoch_seconds"])) for run in runs]
        times.plot([number] * len(runs), means, "o", color=colour)
    for axes in (dice, times):
        axes.set(xticks=[0, 1], xlim=(-0.5, 1.5))
        axes.set_xticklabels([side.split("'")[0] for side in results])
    times.set_ylim(bottom=0)  # now that the top is known
    losses.legend(frameon=False)
    figure.savefig(path, dpi=110)


def report(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    lines = ["| loader | Dice, mean of the seeds | of each | s an epoch |", "|---|---|---|---|"]
    for side, runs in results.items():
        dice = [run["dice"] for run in runs]
        seconds = [second for run in runs for second in run["epoch_seconds"]]
        each = ", ".join(f"{value:.4f}" for value in dice)
        lines.append(f"| {side} | {np.mean(dice):.4f} | {each} | {np.mean(seconds):.1f} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--scan", type=Path, help="default: a head made by formula")
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--side", type=int, default=96, help="of a head, in voxels")
    parser.add_argument("--patch", type=int, default=32)
    parser.add_argument("--features", type=int, default=8, help="of the first stage")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=250, help="of an epoch")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--convert", action="store_true", help="run mlarray nnunet-convert")
    options = parser.parse_args(arguments)
    work = options.output.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    runner = Runner(work, options)
    print("making and preprocessing the data set", flush=True)
    write_raw(work / "raw" / DATASET, template(options.scan, options.side), options.cases)
    runner.run(
        *("nnUNetv2_plan_and_preprocess", "-d", "1", "-c", "3d_fullres", "-np", "1"),
        *("--verify_dataset_integrity", "-npfp", "1"),
        nnUNet_results=str(work / "results"),
    )
    preprocessed = work / "preprocessed" / DATASET
    add_configuration(preprocessed / "nnUNetPlans.json", options.patch, options.features)
    if options.convert:
        from mlarray.cli.main import main as mlarray

        code = mlarray(["nnunet-convert", "-q", str(preprocessed / "nnUNetPlans_3d_fullres")])
        if code:
            return code
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for seed in range(options.seeds):
        for side, trainer in SIDES.items():
            run = train(runner, trainer, seed)
            results[side].append(run)
            print(
                f"seed {seed}, {side}: Dice {run['dice']:.4f}, "
                f"{np.mean(run['epoch_seconds']):.1f} s an epoch",
                flush=True,
            )
        (work / "results.json").write_text(json.dumps(results, indent=1))
    draw(results, work / "losses.png")
    lines = report(results)
    (work / "report.md").write_text("\n".join(lines) + "\n")
    print(*lines, f"{work / 'losses.png'}: the losses", sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
