"""Where voxels are, by definition and as other readers see them.

The oracle is a few lines of NumPy: component k of `affine x (index, 1)` belongs to the axis of
the world that the label of the k-th axis of space names, else to x, y, z in order.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import SimpleITK
from making import Array, Story, literal

if TYPE_CHECKING:
    from pathlib import Path

    from mlarray import MLArray

# What one unit is in mm, by the names that are met.
MILLIMETRES = {
    "mm": 1.0, "um": 1e-3, "micron": 1e-3, "m": 1e3, "meter": 1e3, "cm": 10.0,
}  # fmt: skip
LABELS = ("spatial_x", "spatial_y", "spatial_z")
POSITIVE = {"R": 1, "A": 1, "S": 1, "L": -1, "P": -1, "I": -1}


def spatial_axes(image: MLArray) -> list[int]:
    labels = image.meta.spatial.axis_labels or ["spatial"] * image.ndim
    return [i for i, label in enumerate(labels) if label.startswith("spatial")]


def space_first(image: MLArray) -> list[int]:
    """The order that NIfTI has the axes in: those of space, then time, then others."""
    labels = image.meta.spatial.axis_labels or ["spatial"] * image.ndim
    space = spatial_axes(image)
    others = [i for i in range(image.ndim) if i not in space]
    return space + sorted(others, key=lambda i: labels[i] != "temporal")


def world(image: MLArray, index: tuple[int, ...]) -> tuple[Array, Array]:
    """Position x, y, z in RAS in mm (or as it is where that is not known), and its size.

    A spacing is in the unit of its axis, and so is a coordinate.
    """
    space, spatial = spatial_axes(image), image.meta.spatial
    affine = affine_of(image, len(space))
    terms = affine[:-1] * np.array([*(index[axis] for axis in space), 1.0])
    units = [(spatial.axis_units or [""] * image.ndim)[axis] for axis in space]
    scales = np.array([MILLIMETRES.get(unit, 1.0) for unit in units])
    if spatial.affine is not None:
        terms *= scales[:, None]
    else:
        terms[:, :-1] *= scales
        terms[:, -1] *= scales
    labels = [(spatial.axis_labels or ["spatial"] * image.ndim)[axis] for axis in space]
    named = len(set(labels)) == len(labels) and all(label in LABELS for label in labels)
    rows = [LABELS.index(label) for label in labels] if named else list(range(len(labels)))
    signs = signs_of(spatial.coord_system)
    position, size = np.zeros(3), np.zeros(3)
    for row, axis in enumerate(rows):
        position[axis] = terms[row].sum() * signs[axis]
        size[axis] = np.abs(terms[row]).sum()
    return position, size


def affine_of(image: MLArray, count: int) -> Array:
    """The affine by its definition, not by our own code."""
    spatial = image.meta.spatial
    if spatial.affine is not None:
        return np.array(spatial.affine, float)
    affine = np.eye(count + 1)
    direction = np.eye(count) if spatial.direction is None else np.array(spatial.direction)
    spacing = np.ones(count) if spatial.spacing is None else np.array(spatial.spacing)
    affine[:count, :count] = direction * spacing
    if spatial.origin is not None:
        affine[:count, count] = spatial.origin
    return affine


def signs_of(frame: str | None) -> list[int]:
    letters = (frame or "").removesuffix("+")
    if len(letters) != 3 or any(letter not in POSITIVE for letter in letters):
        return [1, 1, 1]
    return [POSITIVE[letter] for letter in letters]


def corners(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(itertools.product(*({0, n - 1} for n in shape)))


# --- what others read ---------------------------------------------------------------------


def compare(story: Story, image: MLArray, target: Path, notes: Any, about: str = "") -> int:
    """Voxels and positions of a file that we have written, as others read it."""
    count = 0
    if target.suffix != ".nrrd":
        axes = space_first(image)
        nifti = nibabel.load(target)
        voxels = np.asanyarray(nifti.dataobj)
        _same_voxels(story, "nibabel", image, axes, voxels)
        reader = of_nibabel(nifti, len(spatial_axes(image)))
        count += same_positions(story, image, axes, reader, f"nibabel{about}", notes, 3e-7)
    axes = list(range(image.ndim)) if target.suffix == ".nrrd" else space_first(image)
    known = image.meta.spatial
    said = any(v is not None for v in (known.affine, known.spacing, known.origin,
                                       known.direction))  # fmt: skip
    if said and image.ndim == 3 == len(spatial_axes(image)) and _is_orthogonal(image):
        if target.suffix != ".nrrd" and isinstance(nibabel.load(target), nibabel.Nifti2Image):
            return count  # ITK does not open it
        try:
            itk = SimpleITK.ReadImage(str(target))
        except RuntimeError:
            if target.suffix == ".nrrd" or not _is_far(image):
                raise
            return count
        _same_voxels(story, "SimpleITK", image, axes, SimpleITK.GetArrayViewFromImage(itk).T)
        unit = None if target.suffix == ".nrrd" else of_nibabel(nibabel.load(target), 3)[1]
        unit = "mm" if unit in MILLIMETRES else unit  # ITK has made mm of the others
        count += same_positions(
            story, image, axes, of_itk(itk, unit), f"SimpleITK{about}", notes, 2e-5
        )
    return count


def _is_orthogonal(image: MLArray) -> bool:
    matrix = affine_of(image, 3)[:3, :3]
    if len(set(image.meta.spatial.axis_units or ())) > 1:
        return False  # in mm it may not be
    return bool(np.allclose(*gram(matrix), atol=1e-6))


def _is_far(image: MLArray) -> bool:
    """ITK computes NIfTI's directions in single precision, with the origin among them.

    With an origin of a million voxels it finds that they are not at right angles.
    """
    affine = affine_of(image, 3)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(affine[:3, 3]).max() > 3e5 * sizes.min())


def _same_voxels(
    story: Story, who: str, image: MLArray, axes: list[int], voxels: Array
) -> None:
    expected = image[...].transpose(axes)
    if voxels.size != expected.size or not np.array_equal(voxels.ravel(), expected.ravel()):
        story.fail(f"{who}: other voxels", f"found {literal(voxels)}")


Reader = tuple[Any, str | None]  # from an index to a position in RAS; unit


def of_nibabel(nifti: Any, space: int) -> Reader:
    """Positions as nibabel says, in RAS, and their unit. `space`: of how many axes."""
    affine = np.array(nifti.affine, float)
    try:
        unit = nifti.header.get_xyzt_units()[0]
    except KeyError:
        unit = "unknown"

    def where(index: tuple[int, ...]) -> Array:
        three = [*index[:space], 0, 0, 0][:3]
        return np.asarray((affine @ [*three, 1])[:3])

    return where, unit


def of_itk(itk: Any, unit: str | None) -> Reader:
    size = itk.GetDimension()

    def where(index: tuple[int, ...]) -> Array:
        short = [int(i) for i in index[:size]]
        point = np.zeros(3)
        found = itk.TransformIndexToPhysicalPoint([*short, *[0] * (size - len(short))])
        point[: min(3, size)] = found[:3]
        return point * [-1, -1, 1]

    return where, unit


def of_ours(image: MLArray, space: int | None) -> Reader:
    """Positions of an image of ours; `space`: axes of it, if the image has three by now."""

    def where(index: tuple[int, ...]) -> Array:
        if space is not None:
            index = (*index[:space], *[0] * (3 - space), *index[space:])
        return world(image, (*index, *[0] * (image.ndim - len(index))))[0]

    return where, "mm"


def same_positions(
    story: Story, image: MLArray, axes: list[int], reader: Reader, who: str, notes: Any,
    precision: float,
) -> int:  # fmt: skip
    """Corner by corner. `axes`: those of the image in the order of the other file."""
    where, unit = reader
    if any("coord_system" in note and "is not written" in note for note in notes):
        return 0  # the frame is lost, and that is said
    spatial = image.meta.spatial
    parts = (spatial.affine, spatial.spacing, spatial.origin, spatial.direction)
    if all(part is None for part in parts):
        return 0  # of no position nothing is said
    space = spatial_axes(image)
    units = [(spatial.axis_units or ["unknown"] * image.ndim)[axis] for axis in space]
    known = all(u in MILLIMETRES for u in units)
    factor = MILLIMETRES.get(unit or "", 1.0) if known else 1.0
    worst = 0.0
    # Known units are converted where they have to be, so nothing of them is forgiven.
    noted = not known and any("axis_units" in note for note in notes)
    frames = signs_of(spatial.coord_system) != [1, 1, 1] or spatial.coord_system in (
        "RAS",
        "RAS+",
    )
    for index in corners(image.shape):
        position, size = world(image, index)
        if not frames and who.startswith("SimpleITK"):
            continue  # what ITK takes a frame for that has no name, is its own
        found = where(tuple(index[axis] for axis in axes)) * factor
        if not known:
            scales = [MILLIMETRES.get(u, 1.0) for u in units]
            if len(set(scales)) > 1 or who.endswith("back"):
                continue
            position, size = position / scales[0], size / scales[0]
        error = np.abs(found - position)
        allowed = precision * max(float(size.max()), 1e-30)
        worst = max(worst, float((error / allowed).max()))
        if not np.all(error <= allowed):
            if noted or (unit is None and len(set(units)) > 0 and who.startswith("SimpleITK")):
                continue
            note = "; ".join(notes)
            story.fail(
                f"{who}: another position" + (", units" if set(units) != {"mm"} else ""),
                f"units    {units} as {unit}",
                f"index    {index}", f"found    {found.tolist()} (RAS, mm)",
                f"expected {position.tolist()}", f"off by {worst:.3g} x what is allowed",
                f"notes    {note}",
            )  # fmt: skip
    return len(corners(image.shape))


def gram(matrix: Array) -> tuple[Array, Array]:
    cosines = matrix / np.linalg.norm(matrix, axis=0)
    return cosines.T @ cosines, np.eye(len(matrix))
