"""Where voxels are: in our files, and in those of other formats as other readers see them.

The oracle is a few lines of NumPy: component k of `affine x (index, 1)` belongs to the axis of
the world that the label of the k-th axis of space names, else to x, y, z in order.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import SimpleITK
from making import Array, Place, Rng, Story, chance, literal, one_of

from mlarray import MLArray
from mlarray.convert import convert
from mlarray.orientation import orient

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "positions"
FRAMES = ["RAS", "RAS+", "LPS", "LPS+", "LAS+", "RPI", "LAI+", None, "scanner-xyz", "template"]
UNITS = ["mm", "mm", "mm", "um", "micron", "m", "meter", "cm", "unknown", None]
# What one unit is in mm, by the names that are met.
MILLIMETRES = {
    "mm": 1.0, "um": 1e-3, "micron": 1e-3, "m": 1e3, "meter": 1e3, "cm": 10.0,
}  # fmt: skip
LABELS = ("spatial_x", "spatial_y", "spatial_z")
POSITIVE = {"R": 1, "A": 1, "S": 1, "L": -1, "P": -1, "I": -1}


def check(rng: Rng, place: Place) -> int:
    """One geometry: out of our files, into them and back, as letters, or in parts."""
    kind = rng.random()
    if kind < 0.35:
        return _exported(rng, place)
    if kind < 0.6:
        return _nifti_and_back(rng, place)
    if kind < 0.8:
        return _nrrd(rng, place)
    return _letters(rng) if kind < 0.93 else _parts(rng, place)


# --- made here, read elsewhere ------------------------------------------------------------


def _exported(rng: Rng, place: Place) -> int:
    story = Story()
    image = _an_image(rng, story)
    source = place.file("image.mla")
    story.say("image.save('image.mla')")
    image.save(source)
    suffix = one_of(rng, [".nii", ".nii", ".nii.gz", ".nrrd"])
    # Names of their own: ITK looks for the voxels of "out.nii.gz" in "out.nii" first.
    target = place.file(f"{'zipped' if suffix == '.nii.gz' else 'out'}{suffix}")
    story.say(f"convert('image.mla', {target.name!r})")
    report = convert(source, target)
    count = _compare(story, image, target, report.notes)
    # And back: the same positions again.
    again = place.file("again.mla")
    story.say(f"convert({target.name!r}, 'again.mla')")
    convert(target, again)
    back = MLArray(again)
    theirs = _as_read(back, None if suffix == ".nrrd" else len(_spatial_axes(image)))
    if back.size != image.size:
        story.fail(f"{suffix}: another number of voxels", f"found {back.shape}")
    axes = _space_first(image) if suffix != ".nrrd" else list(range(image.ndim))
    return count + _positions(story, image, axes, theirs, f"{suffix} back", report.notes, 1e-6)


def _an_image(rng: Rng, story: Story) -> MLArray:
    """One to three axes of space with any labels, among others that are not space."""
    space = one_of(rng, [1, 2, 2, 3, 3, 3])
    names: list[str] = list(LABELS)
    rng.shuffle(names)
    labels = names[:space] if chance(rng, 0.7) else ["spatial"] * space
    for other in one_of(rng, [[], [], ["channel"], ["temporal"], ["temporal", "channel"]]):
        labels.insert(int(rng.integers(0, len(labels) + 1)), other)
    shape = tuple(int(n) for n in rng.integers(1, 6, len(labels)))
    arguments: dict[str, Any] = {}
    if labels.count("spatial") < len(labels) or chance(rng, 0.5):
        arguments["axis_labels"] = labels
    matrix, origin = _matrix(rng, space), _origin(rng, space)
    lengths = [shape[i] for i, label in enumerate(labels) if label.startswith("spatial")]
    if chance(rng, 0.5):
        affine = np.eye(space + 1)
        affine[:space, :space], affine[:space, space] = matrix, origin
        arguments["affine"] = affine.tolist()
    else:
        scale = np.linalg.norm(matrix, axis=0)
        parts = {"spacing": scale.tolist(), "origin": origin.tolist(),
                 "direction": (matrix / scale).tolist()}  # fmt: skip
        arguments.update({k: v for k, v in parts.items() if chance(rng, 0.8)})
    spatial: dict[str, Any] = {"coord_system": one_of(rng, FRAMES)}
    if space == 3 and chance(rng, 0.05):  # what a NIfTI file means that says nothing
        arguments = {"affine": _default_affine(lengths).tolist()}
        spatial["coord_system"] = "RAS"
        labels, shape = ["spatial"] * 3, tuple(lengths)
    unit = one_of(rng, UNITS)
    if unit is not None:
        units = [unit if label.startswith("spatial") else "unknown" for label in labels]
        if chance(rng, 0.1):
            units[0] = "um"
        spatial["axis_units"] = units
    voxels = np.arange(np.prod(shape), dtype="i2").reshape(shape)
    story.say(f"image = MLArray(np.arange({voxels.size}, dtype='i2').reshape({shape}), "
              f"**{literal(arguments)})")  # fmt: skip
    image = MLArray(voxels, **arguments)
    for name, value in spatial.items():
        story.say(f"image.meta.spatial.{name} = {value!r}")
        setattr(image.meta.spatial, name, value)
    return image


def _matrix(rng: Rng, count: int) -> Array:
    """Rotated, flipped, permuted or sheared, of any scale."""
    scale = 10.0 ** rng.uniform(-3, 3) * rng.uniform(0.3, 3, count)
    if chance(rng, 0.3):
        scale = np.full(count, one_of(rng, [1.0, 2.0, 0.5]))
    directions = np.eye(count)
    kind = rng.random()
    if kind < 0.4:
        directions = directions[rng.permutation(count)] * rng.choice([-1.0, 1.0], count)
    elif kind < 0.9:
        directions = np.linalg.qr(rng.normal(size=(count, count)))[0]
    else:
        directions = directions + rng.uniform(-0.3, 0.3, (count, count))
    return np.asarray(directions * scale)


def _origin(rng: Rng, count: int) -> Array:
    return np.asarray(rng.normal(0, 10.0 ** rng.uniform(-2, 5), count) * chance(rng, 0.9))


def _default_affine(shape: Any) -> Array:
    """What nibabel says of a NIfTI file that says nothing."""
    return np.asarray(nibabel.Nifti1Image(np.zeros(shape, "u1"), None).header.get_base_affine())


def _spatial_axes(image: MLArray) -> list[int]:
    labels = image.meta.spatial.axis_labels or ["spatial"] * image.ndim
    return [i for i, label in enumerate(labels) if label.startswith("spatial")]


def _space_first(image: MLArray) -> list[int]:
    """The order that NIfTI has the axes in: those of space, then time, then others."""
    labels = image.meta.spatial.axis_labels or ["spatial"] * image.ndim
    space = _spatial_axes(image)
    others = [i for i in range(image.ndim) if i not in space]
    return space + sorted(others, key=lambda i: labels[i] != "temporal")


def _world(image: MLArray, index: tuple[int, ...]) -> tuple[Array, Array]:
    """Position x, y, z in RAS in mm (or as it is where that is not known), and its size."""
    space, spatial = _spatial_axes(image), image.meta.spatial
    affine = _affine_of(image, len(space))
    terms = affine[:-1] * np.array([*(index[axis] for axis in space), 1.0])
    labels = [(spatial.axis_labels or ["spatial"] * image.ndim)[axis] for axis in space]
    named = len(set(labels)) == len(labels) and all(label in LABELS for label in labels)
    world = [LABELS.index(label) for label in labels] if named else list(range(len(labels)))
    signs = _signs(spatial.coord_system)
    position, size = np.zeros(3), np.zeros(3)
    for row, axis in enumerate(world):
        scale = 1.0
        if spatial.axis_units is not None:
            scale = MILLIMETRES.get(spatial.axis_units[space[row]], 1.0)
        position[axis] = terms[row].sum() * signs[axis] * scale
        size[axis] = np.abs(terms[row]).sum() * scale
    return position, size


def _affine_of(image: MLArray, count: int) -> Array:
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


def _signs(frame: str | None) -> list[int]:
    letters = (frame or "").removesuffix("+")
    if len(letters) != 3 or any(letter not in POSITIVE for letter in letters):
        return [1, 1, 1]
    return [POSITIVE[letter] for letter in letters]


def _corners(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(itertools.product(*({0, n - 1} for n in shape)))


# --- what others read ---------------------------------------------------------------------


def _compare(story: Story, image: MLArray, target: Path, notes: Any, about: str = "") -> int:
    """Voxels and positions of a file that we have written, as others read it."""
    count = 0
    if target.suffix != ".nrrd":
        axes = _space_first(image)
        nifti = nibabel.load(target)
        voxels = np.asanyarray(nifti.dataobj)
        _same_voxels(story, "nibabel", image, axes, voxels)
        reader = _of_nibabel(nifti, len(_spatial_axes(image)))
        count += _positions(story, image, axes, reader, f"nibabel{about}", notes, 3e-7)
    axes = list(range(image.ndim)) if target.suffix == ".nrrd" else _space_first(image)
    known = image.meta.spatial
    said = any(v is not None for v in (known.affine, known.spacing, known.origin,
                                       known.direction))  # fmt: skip
    if said and image.ndim == 3 == len(_spatial_axes(image)) and _is_orthogonal(image):
        if target.suffix != ".nrrd" and isinstance(nibabel.load(target), nibabel.Nifti2Image):
            return count  # ITK does not open it
        itk = SimpleITK.ReadImage(str(target))
        _same_voxels(story, "SimpleITK", image, axes, SimpleITK.GetArrayViewFromImage(itk).T)
        unit = None if target.suffix == ".nrrd" else _of_nibabel(nibabel.load(target), 3)[1]
        unit = "mm" if unit in MILLIMETRES else unit  # ITK has made mm of the others
        count += _positions(
            story, image, axes, _of_itk(itk, unit), f"SimpleITK{about}", notes, 2e-5
        )
    return count


def _is_orthogonal(image: MLArray) -> bool:
    matrix = _affine_of(image, 3)[:3, :3]
    if len(set(image.meta.spatial.axis_units or ())) > 1:
        return False  # in mm it may not be
    return bool(np.allclose(*_gram(matrix), atol=1e-6))


def _same_voxels(
    story: Story, who: str, image: MLArray, axes: list[int], voxels: Array
) -> None:
    expected = image[...].transpose(axes)
    if voxels.size != expected.size or not np.array_equal(voxels.ravel(), expected.ravel()):
        story.fail(f"{who}: other voxels", f"found {literal(voxels)}")


Reader = tuple[Any, str | None]  # from an index to a position in RAS; unit


def _of_nibabel(nifti: Any, space: int) -> Reader:
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


def _of_itk(itk: Any, unit: str | None) -> Reader:
    size = itk.GetDimension()

    def where(index: tuple[int, ...]) -> Array:
        short = [int(i) for i in index[:size]]
        point = np.zeros(3)
        found = itk.TransformIndexToPhysicalPoint([*short, *[0] * (size - len(short))])
        point[: min(3, size)] = found[:3]
        return point * [-1, -1, 1]

    return where, unit


def _as_read(image: MLArray, space: int | None) -> Reader:
    """Positions of an image of ours; `space`: axes of it, if the image has three by now."""

    def where(index: tuple[int, ...]) -> Array:
        if space is not None:
            index = (*index[:space], *[0] * (3 - space), *index[space:])
        return _world(image, (*index, *[0] * (image.ndim - len(index))))[0]

    return where, "mm"


def _positions(
    story: Story, image: MLArray, axes: list[int], reader: Reader, who: str, notes: Any,
    precision: float,
) -> int:  # fmt: skip
    """Corner by corner. `axes`: those of the image in the order of the other file."""
    where, unit = reader
    if any("is not written" in note for note in notes):
        return 0  # the frame is lost, and that is said
    spatial = image.meta.spatial
    parts = (spatial.affine, spatial.spacing, spatial.origin, spatial.direction)
    if all(part is None for part in parts):
        return 0  # of no position nothing is said
    space = _spatial_axes(image)
    units = [(spatial.axis_units or ["unknown"] * image.ndim)[axis] for axis in space]
    known = all(u in MILLIMETRES for u in units)
    factor = MILLIMETRES.get(unit or "", 1.0) if known else 1.0
    worst = 0.0
    noted = any("unit" in note for note in notes)
    frames = _signs(spatial.coord_system) != [1, 1, 1] or spatial.coord_system in (
        "RAS",
        "RAS+",
    )
    for index in _corners(image.shape):
        position, size = _world(image, index)
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
    return len(_corners(image.shape))


# --- NIfTI in, edited or not, and out -----------------------------------------------------


def _nifti_and_back(rng: Rng, place: Place) -> int:
    story = Story()
    shape = tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(3, 5))))
    matrix, origin = _matrix(rng, 3), _origin(rng, 3)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, origin
    sform, qform = int(rng.integers(0, 5)), int(rng.integers(0, 5))
    if chance(rng, 0.15):
        sform = qform = 0
    unit = one_of(rng, ["mm", "mm", "micron", "meter", "unknown"])
    voxels = np.arange(np.prod(shape), dtype="i2").reshape(shape)
    orthogonal = np.allclose(*_gram(matrix), atol=1e-6)
    nifti = nibabel.Nifti1Image(voxels, affine)
    nifti.set_sform(affine, sform)
    if orthogonal:
        nifti.set_qform(affine, qform)
    nifti.header.set_xyzt_units(unit, one_of(rng, ["sec", "msec", "unknown"]))
    source, image_path = place.file("in.nii"), place.file("image.mla")
    nibabel.save(nifti, source)
    made = f"np.arange({voxels.size}, dtype='i2').reshape({shape})"
    story.say(f"nifti = nibabel.Nifti1Image({made}, {affine.tolist()})")
    story.say(f"nifti.set_sform(affine, {sform})")
    if orthogonal:
        story.say(f"nifti.set_qform(affine, {qform})")
    story.say(f"nifti.header.set_xyzt_units({unit!r}); nibabel.save(nifti, 'in.nii')")
    story.say("convert('in.nii', 'image.mla')")
    convert(source, image_path)
    stored = nibabel.load(source)
    with MLArray.open(image_path) as image:
        if not np.array_equal(image.affine, stored.affine):
            story.fail("NIfTI in: another affine", f"found {image.affine}",
                       f"expected {stored.affine.tolist()}")  # fmt: skip
    edited = _edit(rng, image_path, story)
    target = place.file(one_of(rng, ["out.nii", "out.nii", "out.nrrd"]))
    story.say(f"convert('image.mla', {target.name!r})")
    report = convert(image_path, target)
    image = MLArray(image_path)
    if not edited and target.suffix == ".nii" and target.read_bytes() != source.read_bytes():
        story.fail("NIfTI out: other bytes", f"codes {sform}, {qform}")
    moved = not np.array_equal(image.affine, stored.affine)
    if not moved and sform == 0 == qform * orthogonal:
        return len(_corners(shape))  # the header stays as it is, and readers differ about it
    about = f", NIfTI {edited} out as {target.suffix}"
    return _compare(story, image, target, report.notes, about) + len(_corners(shape))


def _edit(rng: Rng, path: Path, story: Story) -> str:
    """Change the geometry a little, or in another field; what was changed."""
    kind = rng.random()
    if kind < 0.3:
        return ""
    with MLArray.open(path, mmap="r+") as image:
        spatial = image.meta.spatial
        affine = np.array(image.affine)
        if kind < 0.55:
            at = (
                tuple(rng.integers(0, 3, 2))
                if chance(rng, 0.4)
                else (int(rng.integers(0, 3)), 3)
            )
            affine[at] = affine[at] * (1 + 10.0 ** rng.uniform(-6.5, -3)) + one_of(
                rng, [0, 0, 1]
            )
            spatial.affine = affine.tolist()
            story.say(f"image.meta.spatial.affine = {affine.tolist()}")
        elif kind < 0.65:
            spatial.affine = _default_affine(image.shape[:3]).tolist()
            story.say(f"image.meta.spatial.affine = {spatial.affine}")
        elif kind < 0.85:
            units = list(spatial.axis_units)
            known = ["mm", "um", "micron", "m", "cm", "meter"]
            others = [u for u in known if MILLIMETRES[u] != MILLIMETRES.get(units[0])]
            units[:3] = [one_of(rng, others)] * 3
            spatial.axis_units = units
            story.say(f"image.meta.spatial.axis_units = {units}")
        else:
            spatial.coord_system = one_of(rng, ["LPS+", "LAS", "RPI"])
            story.say(f"image.meta.spatial.coord_system = {spatial.coord_system!r}")
    return "moved" if kind < 0.65 else "with other units" if kind < 0.85 else "of another frame"


# --- NRRD in all its spellings ------------------------------------------------------------


def _nrrd(rng: Rng, place: Place) -> int:
    """A header as some writer may have put it, with what SimpleITK makes of it."""
    story = Story()
    count = one_of(rng, [2, 3, 3])
    shape = tuple(int(n) for n in rng.integers(2, 6, count))
    lines = [f"NRRD000{int(rng.integers(4, 6))}", "type: short", f"dimension: {count}"]
    lines += [f"sizes: {' '.join(map(str, shape))}", "endian: little", "encoding: raw"]
    matrix, origin = _matrix(rng, count), _origin(rng, count)
    # ITK wants directions that are at right angles.
    turned = np.linalg.qr(matrix)[0]
    matrix = turned * np.linalg.norm(matrix, axis=0)
    frame = None
    oriented = chance(rng, 0.6) and count == 3
    if oriented:
        frame = one_of(rng, [
            "left-posterior-superior", "LPS", "lps", "Left-Posterior-Superior",
            "right-anterior-superior", "RAS", "ras", "left-anterior-superior", "LAS",
        ])  # fmt: skip
        lines.append(f"space: {frame}")
        vectors = " ".join(_vector(column) for column in matrix.T)
        lines.append(f"{one_of(rng, ['space directions', 'spacedirections'])}: {vectors}")
        if chance(rng, 0.8):
            name = one_of(rng, ["space origin", "spaceorigin"])
            lines.append(f"{name}: {_vector(origin)}")
        if chance(rng, 0.3):
            lines.append("kinds: domain domain domain")
        if chance(rng, 0.3):
            lines.append(_centering(rng, count))
    else:
        spacing = np.linalg.norm(matrix, axis=0)
        low = origin
        centering = ""
        if chance(rng, 0.6):
            centering = _centering(rng, count)
            lines.append(centering)
        if chance(rng, 0.9):
            lines.append(f"spacings: {' '.join(map(repr, spacing.tolist()))}")
        if chance(rng, 0.7) and "spacings" in lines[-1]:
            name = one_of(rng, ["axis mins", "axismins"])
            lines.append(f"{name}: {' '.join(map(repr, low.tolist()))}")
            if chance(rng, 0.3):
                cells = [n - ("node" in centering.lower()) for n in shape]
                high = (low + spacing * cells).tolist()
                name = one_of(rng, ["axis maxs", "axismaxs"])
                lines.append(f"{name}: {' '.join(map(repr, high))}")
    if chance(rng, 0.2):
        at = int(rng.integers(1, len(lines)))
        name, _, rest = lines[at].partition(":")
        lines[at] = f"{one_of(rng, [name.capitalize(), name.upper(), name.title()])}:{rest}"
    voxels = np.arange(np.prod(shape), dtype="<i2")
    path, target = place.file("in.nrrd"), place.file("image.mla")
    path.write_bytes("\n".join([*lines, "", ""]).encode() + voxels.tobytes())
    story.lines += ["in.nrrd:", *(f"  {line}" for line in lines)]
    try:
        itk = SimpleITK.ReadImage(str(path))
        if itk.GetSize() != shape:
            return 0
    except RuntimeError:
        return 0  # not even it
    story.say("convert('in.nrrd', 'image.mla')")
    convert(path, target)
    image = MLArray(target)
    found = image[...].reshape(shape)
    if not np.array_equal(found, voxels.reshape(shape[::-1]).T):
        story.fail("NRRD in: other voxels")
    compared = 0
    where = _of_itk(itk, None)[0]
    for index in _corners(shape):
        ours, size = _world(image, (*index, *[0] * (image.ndim - count)))
        theirs = where(index)
        if not oriented:
            ours = ours * [-1, -1, 1]  # without a frame, ITK takes its own
        theirs = theirs[: max(count, 3)]
        if not np.all(np.abs(ours - theirs) <= 1e-6 * max(size.max(), 1e-30)):
            story.fail("NRRD in: another position" + ("" if oriented else ", per axis"),
                       f"index    {index}", f"found    {ours.tolist()} (RAS)",
                       f"SimpleITK {theirs.tolist()}")  # fmt: skip
        compared += 1
    for suffix in (".nrrd", ".nii"):
        out = place.file(f"out{suffix}")
        report = convert(target, out)
        if oriented:
            story.say(f"convert('image.mla', 'out{suffix}')")
            compared += _compare(story, image, out, report.notes)
    return compared


def _centering(rng: Rng, count: int) -> str:
    name = one_of(rng, ["centers", "centerings"])
    kind = one_of(rng, ["cell", "node", "Cell", "NODE"])
    return f"{name}: {' '.join([kind] * count)}"


def _vector(items: Any) -> str:
    return f"({','.join(repr(float(item)) for item in items)})"


# --- letters and parts --------------------------------------------------------------------


def _letters(rng: Rng) -> int:
    """Orientation letters of ours and of nibabel."""
    story = Story()
    count = one_of(rng, [2, 3, 3])
    names: list[str] = list(LABELS)
    rng.shuffle(names)
    labels = names[:count]
    matrix = _matrix(rng, count)
    if chance(rng, 0.5):
        matrix = rng.normal(size=(count, count)) * 10.0 ** rng.uniform(-2, 2)
    frame = one_of(rng, ["RAS", "LPS+", "LAS+", "RPI"])
    affine = np.eye(count + 1)
    affine[:count, :count] = matrix
    given = labels if chance(rng, 0.8) else None
    world = np.zeros((4, count + 1))
    world[3, count] = 1
    for row in range(count):
        axis = LABELS.index(labels[row]) if given else row
        world[axis, :count] = matrix[row] * _signs(frame)[axis]
    codes = nibabel.orientations.io_orientation(world)
    # Where two letters are as near, either is right.
    near = [world * (1 + rng.uniform(-1e-6, 1e-6, world.shape)) for _ in range(3)]
    shaken = [nibabel.orientations.io_orientation(other) for other in near]
    if any(not np.array_equal(codes, other, equal_nan=True) for other in shaken):
        return 0
    expected = "".join(letter or "?" for letter in nibabel.orientations.ornt2axcodes(codes))
    found = orient(affine.tolist(), given, frame)
    story.say(f"orient({affine.tolist()}, {given}, {frame!r})")
    if "?" in expected:
        return 0  # no letter of its own: nibabel gives none, we give one or none
    if found is None or found.codes != expected:
        sheared = not np.allclose(*_gram(matrix), atol=1e-6)
        story.fail(f"letters{' of a sheared affine' if sheared else ''}, {count} axes",
                   f"found    {found and found.codes}", f"expected {expected}")  # fmt: skip
    return 1


def _gram(matrix: Array) -> tuple[Array, Array]:
    cosines = matrix / np.linalg.norm(matrix, axis=0)
    return cosines.T @ cosines, np.eye(len(matrix))


def _parts(rng: Rng, place: Place) -> int:
    """The parts of an affine, and a new origin for what another image says."""
    story = Story()
    count = int(rng.integers(1, 5))
    matrix, origin = _matrix(rng, count), _origin(rng, count)
    if chance(rng, 0.3):
        matrix[:, int(rng.integers(0, count))] = 0
    affine = np.eye(count + 1)
    affine[:count, :count], affine[:count, count] = matrix, origin
    voxels = np.zeros((2,) * count, "u1")
    story.say(f"image = MLArray(np.zeros({voxels.shape}), affine={affine.tolist()})")
    image = MLArray(voxels, affine=affine)
    scale = np.linalg.norm(matrix, axis=0)
    if not np.allclose(image.scale, scale, rtol=1e-12, atol=0):
        story.fail("scale", f"found {image.scale}", f"expected {scale.tolist()}")
    if image.translation != origin.tolist():
        story.fail("translation", f"found {image.translation}")
    moved = _origin(rng, count)
    story.say(f"copy = MLArray(image[...], copy=image, origin={moved.tolist()})")
    other = MLArray(voxels, copy=image, origin=moved.tolist())
    expected = affine.copy()
    expected[:count, count] = moved
    if not np.allclose(other.affine, expected, rtol=1e-12, atol=1e-12 * scale.max()):
        story.fail("copy= with origin=", f"found    {other.affine}",
                   f"expected {expected.tolist()}")  # fmt: skip
    path = place.file("image.mla")
    image.save(path)
    if MLArray(path).affine != affine.tolist():
        story.fail("affine of a file", f"found {MLArray(path).affine}")
    return 4
