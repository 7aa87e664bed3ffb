"""Cases for the tests that need PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.training import Case

SHAPES = ((24, 30, 26), (17, 40, 21), (31, 19, 33))


def make_cases(folder: Path) -> list[Case]:
    """Some small images and label maps."""
    random = np.random.default_rng(7)
    cases = []
    for number, shape in enumerate(SHAPES):
        labels = np.zeros(shape, np.uint8)
        labels[3:9, 4:12, 5:11] = 1
        labels[12:14, 15:18, 14:17] = 2
        image = (random.normal(0, 300, shape) + 500.0 * labels).astype(np.int16)
        names = [folder / f"c{number}{what}.mla" for what in ("", "_seg")]
        for path, voxels in zip(names, (image, labels)):
            MLArray(voxels).save(path, patch_size=8)
        cases.append(Case(image=names[0], label=names[1]))
    return cases


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """The cases of all tests."""
    return make_cases(tmp_path_factory.mktemp("cases"))
