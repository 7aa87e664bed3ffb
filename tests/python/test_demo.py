"""The demo runs on any scan and draws what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib.image
import nibabel
import numpy as np
import pytest

DEMO = Path(__file__).parents[2] / "examples" / "python" / "demo.py"


@pytest.mark.slow
def test_the_demo_proves_what_it_says(tmp_path: Path) -> None:
    # Bright towards right, front and head, with axes permuted and flipped and unequal spacing:
    # array axes run down, to the right and to the back.
    shape = (120, 130, 140)
    affine = np.array([[0, 1.0, 0, -65], [0, 0, -1.0, 70], [-1.5, 0, 0, 90], [0, 0, 0, 1]])
    down, right, back = np.indices(shape)
    voxels = (1000 + 3 * right - 2 * back - 4 * down).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "scan.nii.gz")

    result = subprocess.run(
        [
            sys.executable,
            DEMO,
            "--scan",
            tmp_path / "scan.nii.gz",
            "--output",
            tmp_path / "out",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[7/7] Summary" in result.stdout
    assert result.stdout.count(" ok: ") == 6

    picture = matplotlib.image.imread(tmp_path / "out" / "slices.png")[..., 0]
    margin = 28
    # Two pixels per mm: sagittal 280 x 360, coronal 260 x 360, axial 260 x 280.
    assert picture.shape == (360 + 2 * margin, 280 + 260 + 260 + 6 * margin)
    sagittal = picture[margin:-margin, margin : margin + 280]
    coronal = picture[margin:-margin, 280 + 3 * margin : 280 + 3 * margin + 260]
    axial = picture[margin + 40 : -margin - 40, -margin - 260 : -margin]
    for plane in (sagittal, coronal, axial):
        assert plane[10, -10] > plane[10, 10]  # brighter on the right of the picture
        assert plane[10, -10] > plane[-10, -10]  # and at its top
