"""Draws the pictures of docs/augmentation.md: each transform on a slice of a real scan.

    tools/setup.sh demo
    build/venv/bin/python docs/pictures/make_augmentation.py [FOLDER]

The scan is the one of `make demo`, which comes in nilearn's wheel. On the left the slice as it
is, then three draws. The line is the border of a label, the brain.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image

from mlarray.training import augment
from mlarray.training.augment import (
    BlankRectangle,
    Brightness,
    BrightnessAdditive,
    Cascade,
    Contrast,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    Labels,
    LowResolution,
    MedianFilter,
    Pipeline,
    RicianNoise,
    Sharpening,
    Spatial,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "python"))

from demo import find_scan

SHRINK = 0.66  # of the slice, so that pictures are small
PATCH = (136, 112)
LEVELS = 24  # of grey, so that files are small
ORANGE = (217, 72, 15)
GAP = (255, 0, 255)  # transparent in the file: pages are light or dark

SPATIAL: dict[str, dict[str, Any]] = {
    "rotation": {"p_rotation": 1, "rotation": (-math.pi / 6, math.pi / 6)},
    "scaling": {"p_scaling": 1, "scaling": (0.7, 1.4)},
    "shear": {"p_shear": 1, "shear": (-0.4, 0.4)},
    "translation": {"p_translation": 1, "translation": (-30, 30)},
    "elastic": {"p_elastic": 1, "elastic_spacing": 20, "elastic_magnitude": (7, 10)},
    "crop": {"random_crop": True},
    "rot90": {"p_rot90": 1},
    "swap": {"p_swap": 1, "swap_axes": (0, 1)},
}
INTENSITY = {
    "gaussian_noise": GaussianNoise(p=1, sigma=(0.2, 0.5)),
    "rician_noise": RicianNoise(p=1, sigma=(0.2, 0.5)),
    "gaussian_blur": GaussianBlur(p=1, sigma=(0.7, 2.5)),
    "sharpening": Sharpening(p=1, strength=(0.2, 1)),
    "brightness": Brightness(p=1, factor=(0.6, 1.4, "halves")),
    "brightness_additive": BrightnessAdditive(p=1, shift=(0, 0.6, "normal")),
    "contrast": Contrast(p=1, factor=(0.5, 1.6, "halves")),
    "gamma": Gamma(p=1, p_invert=0.5, gamma=(0.6, 1.8, "halves")),
    "low_resolution": LowResolution(p=1, scale=(0.2, 0.6)),
    "median_filter": MedianFilter(p=1, size=(2, 6)),
    "blank_rectangle": BlankRectangle(p=1, mean=True),
}


def outlined(image: np.ndarray[Any, Any], label: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Grey between what is dark and bright in the scan, with the border of the label."""
    grey = np.clip((image + 1.2) / 3.6, 0, 1)
    grey = np.round(grey * (LEVELS - 1)) / (LEVELS - 1) * 255
    rgb = np.repeat(grey.astype(np.uint8)[..., None], 3, -1)
    border = np.zeros(label.shape, bool)
    border[1:] |= label[1:] != label[:-1]
    border[:, 1:] |= label[:, 1:] != label[:, :-1]
    rgb[border] = ORANGE
    return rgb


def save(panels: list[np.ndarray[Any, Any]], path: Path) -> None:
    gap = np.full((panels[0].shape[0], 6, 3), GAP, np.uint8)
    row = panels[:1]
    for panel in panels[1:]:
        row += [gap, panel]
    picture = Image.fromarray(np.concatenate(row, 1)).quantize(LEVELS + 2)
    clear = picture.getpixel((panels[0].shape[1], 0))
    picture.save(path, optimize=True, transparency=clear)


def brain_slice() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """One axial slice, head up, z-scored within the brain; and the brain."""
    scan: Any = nibabel.load(find_scan())
    whole = np.asarray(scan.dataobj, np.float32)[:, :, 84].T[::-1]
    size = (round(whole.shape[1] * SHRINK), round(whole.shape[0] * SHRINK))
    voxels = np.asarray(Image.fromarray(whole.copy()).resize(size, Image.Resampling.BOX))
    brain = voxels > 0.2 * voxels.max()
    image = (voxels - voxels[brain].mean()) / voxels[brain].std()
    image[voxels == 0] = -1.2
    return image[None], brain.astype(np.int16)[None]


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    image, label = brain_slice()
    initial = image.shape[1:]

    def draw(name: str, pipeline: Pipeline, seeds: tuple[int, ...] = (1, 2, 3)) -> None:
        quiet = Pipeline.of(pipeline.patch, initial=pipeline.initial)
        panels = []
        for number, one in enumerate((quiet, *[pipeline] * len(seeds))):
            seed = 0 if number == 0 else seeds[number - 1]
            start = [(n - m) // 2 for n, m in zip(initial, one.initial, strict=True)]
            part = (slice(None), *(slice(s, s + m) for s, m in zip(start, one.initial)))
            made, labels = one.apply(image[part], label[part], seed=seed)
            assert isinstance(labels, np.ndarray)
            panels.append(outlined(made[0], labels[0]))
        save(panels, folder / f"augment_{name}.png")

    dark = {"image_fill": -1.2}
    for name, options in SPATIAL.items():
        turns = name in ("rot90", "swap")
        patch = (120, 120) if turns else PATCH
        draw(name, Pipeline.of(patch, initial=initial, spatial=Spatial(**options, **dark)))
    draw("mirror", Pipeline.of(PATCH, mirror_axes=(0, 1)), (0, 1, 2))
    for name, transform in INTENSITY.items():
        draw(name, Pipeline.of(PATCH, intensity=[transform]))

    # What differs by an option, side by side.
    bent = Pipeline.of((60, 60), initial=(60, 60), spatial=Spatial(**SPATIAL["rotation"]))
    drawn = bent.draw(2)
    drawn["shift"] = [0, 18, 12]
    corner = (slice(None), slice(85, 145), slice(10, 70))

    def variants(name: str, key: str, values: tuple[str, ...]) -> None:
        panels = []
        for value in values:
            spatial: Any = {"spatial": {key: value, "image_fill": -1.2}}
            one = Pipeline({"patch": [60, 60], "initial": [60, 60], **spatial})
            made, labels = one.apply(image[corner], label[corner], drawn=drawn)
            assert isinstance(labels, np.ndarray)
            panels.append(outlined(made[0], labels[0]).repeat(2, 0).repeat(2, 1))
        save(panels, folder / f"augment_{name}.png")

    variants("padding", "padding", ("constant", "edge", "reflect"))
    drawn["shift"] = [0, 0, 0]
    drawn["matrix"] = [1, 0, 0, 0, 0.25, 0.05, 0, -0.05, 0.25]
    variants("interpolation", "interpolation", ("linear", "cubic"))

    # Labels: grey and white matter and fluid by their brightness, then what becomes of them.
    tissue = (np.digitize(image[0], [-1.15, -0.9, 0.25]))[None].astype(np.int16)
    stages = Pipeline.of(
        PATCH,
        initial=initial,
        labels=Labels(
            previous=[1, 2, 3],
            cascade=Cascade(
                p_operator=1,
                p_operator_label=1,
                radius=(1, 3),
                p_remove_component=1,
                largest_component=0.5,
            ),
        ),
    )
    colours = np.array([[27, 102, 201], [217, 72, 15], [43, 138, 62]])
    panels = []
    for seed in (None, 0, 1, 2):
        drawn = stages.draw(seed or 0)
        if seed is None:
            drawn["cascade"] = []
        made, _ = stages.apply(image, np.concatenate([tissue, tissue]), drawn=drawn)
        marks = made[1:].transpose(1, 2, 0)
        panels.append(np.clip(marks @ colours, 0, 255).astype(np.uint8))
    save(panels, folder / "augment_cascade.png")
    print(f"drawn with {augment.instruction_sets()[0]}: {len(list(folder.glob('augment_*')))}")


if __name__ == "__main__":
    main()
