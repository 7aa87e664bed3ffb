"""When volumes were taken: from NIfTI or NRRD into our files, edited, and out to either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nibabel
import nrrd
import numpy as np
import SimpleITK
from making import Place, Rng, Story, chance, one_of

from mlarray import MLArray
from mlarray.convert import convert

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = {
    "sec": 1.0, "s": 1.0, "Sec": 1.0, "seconds": 1.0, "msec": 1e-3, "ms": 1e-3, "usec": 1e-6,
    "us": 1e-6, "ns": 1e-9, "min": 60.0, "Minutes": 60.0, "h": 3600.0,
}  # fmt: skip
UNITS = [*SECONDS, "frames", ""]
SHAPE = (2, 3, 2, 4)


def timed(rng: Rng, place: Place) -> int:
    """Step and start in seconds, or as they are where the unit has no size."""
    story = Story()
    step = float(np.float32(10.0 ** rng.uniform(-3, 3)))
    start = float(np.float32(rng.normal(0, 10))) * chance(rng, 0.6)
    said, source = _nifti(rng, place, story, step, start) if chance(rng, 0.4) else _nrrd(
        rng, place, story, step, start
    )  # fmt: skip
    path = place.file("image.mla")
    story.say(f"convert({source.name!r}, 'image.mla')")
    convert(source, path)
    unit = _edit(rng, path, story, said)
    target = place.file(one_of(rng, ["out.nii", "out.nrrd"]))
    story.say(f"convert('image.mla', {target.name!r})")
    notes = convert(path, target).notes
    found = _of_nifti(target) if target.suffix == ".nii" else _of_nrrd(story, target)
    if found is None:
        story.fail("times: no step", f"notes    {notes}")
    # Numbers of an unknown unit are taken for the one that the image has now.
    of_numbers = said if said in SECONDS else unit
    expected, numbers = np.array([step, start]), np.array(found[:2], float)
    if unit in SECONDS:
        if found[2] not in SECONDS:
            story.fail("times: the unit is lost", f"found    {found}", f"notes    {notes}")
        expected *= SECONDS[of_numbers]
        numbers *= SECONDS[found[2]]
    comparable = (said in SECONDS and unit in SECONDS) or said in ("", unit)
    if not comparable and not any(f"'{said}'" in note for note in notes):
        story.fail("times: another unit, not said", f"notes    {notes}")
    if not np.allclose(numbers, expected, rtol=3e-7, atol=0):
        story.fail(f"times: another step or start, {source.name} to {target.suffix}",
                   f"found    {found}", f"expected {expected.tolist()} ({said}, now {unit})",
                   f"notes    {notes}")  # fmt: skip
    return 2


def _nifti(rng: Rng, place: Place, story: Story, step: float, start: float) -> tuple[str, Path]:
    unit = one_of(rng, ["sec", "msec", "usec", ""])
    nifti = nibabel.Nifti1Image(np.arange(48, dtype="u1").reshape(SHAPE), np.eye(4))
    nifti.header["pixdim"][4], nifti.header["toffset"] = step, start
    nifti.header.set_xyzt_units("mm", unit or "unknown")
    path = place.file("in.nii")
    nibabel.save(nifti, path)
    story.say(f"in.nii: {SHAPE}, pixdim[4] {step}, toffset {start}, {unit!r}")
    return unit, path


def _nrrd(rng: Rng, place: Place, story: Story, step: float, start: float) -> tuple[str, Path]:
    """As a coordinate of the space, or as an axis with spacing, or with ends."""
    unit = one_of(rng, UNITS)
    at = int(rng.integers(0, 4))
    lines = ["NRRD0005", "type: uchar", "dimension: 4", "encoding: raw"]
    lines.append(f"sizes: {' '.join(map(str, SHAPE))}")
    frame = one_of(rng, ["left-posterior-superior", "right-anterior-superior"])

    def at_time(value: Any, other: Any) -> str:
        return " ".join(str(value if axis == at else other) for axis in range(4))

    space = [axis for axis in range(4) if axis != at]
    if chance(rng, 0.4):
        vectors: list[Any] = [
            [2.0 * (row == (space.index(axis) if axis != at else 3)) for row in range(4)]
            for axis in range(4)
        ]
        vectors[at] = [0.0, 0.0, 0.0, step]
        texts = [f"({','.join(map(repr, vector))})" for vector in vectors]
        lines += [f"space: {frame}-time", f"space directions: {' '.join(texts)}"]
        lines += [f"space origin: (1,2,3,{start!r})", f'space units: "mm" "mm" "mm" "{unit}"']
    else:
        if chance(rng, 0.7):
            texts = [f"({','.join(str(2 * (k == row)) for k in range(3))})" for row in range(3)]
            texts.insert(at, "none")
            lines += [f"space: {frame}", f"space directions: {' '.join(texts)}"]
        node = chance(rng, 0.5)
        low = start if node else start - step / 2
        lines.append(f"kinds: {at_time('time', 'domain')}")
        lines.append(f"axis mins: {at_time(repr(low), 'nan')}")
        lines.append(f"centerings: {at_time('node' if node else 'cell', '???')}")
        lines.append("units: " + at_time(f'"{unit}"', '""'))
        if chance(rng, 0.6):
            lines.append(f"spacings: {at_time(repr(step), 'nan')}")
        else:
            high = low + step * (SHAPE[at] - node)
            lines.append(f"axis maxs: {at_time(repr(high), 'nan')}")
    path = place.file("in.nrrd")
    path.write_bytes("\n".join([*lines, "", ""]).encode() + bytes(range(48)))
    story.lines += ["in.nrrd:", *(f"  {line}" for line in lines)]
    return unit, path


def _edit(rng: Rng, path: Path, story: Story, unit: str) -> str:
    with MLArray.open(path, mmap="r+") as image:
        spatial = image.meta.spatial
        if chance(rng, 0.3):
            spatial.coord_system = one_of(rng, ["LPS", "RPI", None, "template", "scanner-xyz"])
            story.say(f"image.meta.spatial.coord_system = {spatial.coord_system!r}")
        if chance(rng, 0.3):
            unit = one_of(rng, UNITS)
            units = list(spatial.axis_units)
            units[spatial.axis_labels.index("temporal")] = unit or "unknown"
            spatial.axis_units = units
            story.say(f"image.meta.spatial.axis_units = {units}")
    return unit


def _of_nifti(path: Path) -> tuple[float, float, str]:
    header = nibabel.load(path).header
    return float(header["pixdim"][4]), float(header["toffset"]), header.get_xyzt_units()[1]


def _of_nrrd(story: Story, path: Path) -> tuple[float, float, str] | None:
    """By the definition, and where it opens the file, by SimpleITK."""
    header = nrrd.read_header(str(path))
    if str(header.get("space", "")).endswith("time"):
        vectors = header["space directions"]
        (at,) = np.flatnonzero(np.nan_to_num(vectors[:, -1]))
        step, start = float(vectors[at, -1]), float(header["space origin"][-1])
        itk = SimpleITK.ReadImage(str(path))
        if (abs(itk.GetSpacing()[at]), itk.GetOrigin()[3]) != (abs(step), start):
            story.fail("times: SimpleITK", f"found    {itk.GetSpacing()}, {itk.GetOrigin()}")
        return step, start, (header.get("space units") or [""] * 4)[-1]
    at = [kind.lower() for kind in header["kinds"]].index("time")
    unit = (header.get("units") or [""] * 4)[at]
    missing = np.full(4, np.nan)
    step = float(header.get("spacings", missing)[at])
    low, high = (float(header.get(f"axis {end}s", missing)[at]) for end in ("min", "max"))
    cell = (header.get("centerings") or ["???"] * 4)[at].lower() != "node"
    if step != step:
        step = (high - low) / (SHAPE[at] - (not cell))
    start = 0.0 if low != low else low + step / 2 * cell
    return None if step != step else (step, start, unit)
