"""Where voxels are: in our files, and in those of other formats as other readers see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import SimpleITK
from making import Array, Place, Rng, Story, chance, literal, one_of
from positions import (
    LABELS,
    MILLIMETRES,
    compare,
    corners,
    gram,
    of_itk,
    of_ours,
    same_positions,
    signs_of,
    space_first,
    spatial_axes,
    world,
)
from volumes import timed

from mlarray import MLArray
from mlarray.convert import convert
from mlarray.orientation import orient

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "positions"
FRAMES = ["RAS", "RAS+", "LPS", "LPS+", "LAS+", "RPI", "LAI+", None, "scanner-xyz", "template"]
UNITS = ["mm", "mm", "mm", "um", "micron", "m", "meter", "cm", "unknown", None]


def check(rng: Rng, place: Place) -> int:
    """One geometry: out of our files, into them and back, with time, as letters, in parts."""
    kind = rng.random()
    if kind < 0.35:
        return _exported(rng, place)
    if kind < 0.6:
        return _nifti_and_back(rng, place)
    if kind < 0.8:
        return _nrrd(rng, place)
    if kind < 0.87:
        return timed(rng, place)
    return _letters(rng) if kind < 0.95 else _parts(rng, place)


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
    count = compare(story, image, target, report.notes)
    # And back: the same positions again.
    again = place.file("again.mla")
    story.say(f"convert({target.name!r}, 'again.mla')")
    convert(target, again)
    back = MLArray(again)
    theirs = of_ours(back, None if suffix == ".nrrd" else len(spatial_axes(image)))
    if back.size != image.size:
        story.fail(f"{suffix}: another number of voxels", f"found {back.shape}")
    axes = space_first(image) if suffix != ".nrrd" else list(range(image.ndim))
    return count + same_positions(
        story, image, axes, theirs, f"{suffix} back", report.notes, 1e-6
    )


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
    orthogonal = np.allclose(*gram(matrix), atol=1e-6)
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
        return len(corners(shape))  # the header stays as it is, and readers differ about it
    about = f", NIfTI {edited} out as {target.suffix}"
    return compare(story, image, target, report.notes, about) + len(corners(shape))


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
    # By the definition, where SimpleITK refuses a file or reads it in another way.
    expected: Any = None
    noted = False
    oriented = chance(rng, 0.6) and count == 3
    if oriented:
        frame = one_of(rng, [
            "left-posterior-superior", "LPS", "lps", "Left-Posterior-Superior",
            "right-anterior-superior", "RAS", "ras", "left-anterior-superior", "LAS",
        ])  # fmt: skip
        if chance(rng, 0.2):
            frame, signs, noted = one_of(rng, UNKNOWN_SPACES)
            expected = (matrix, np.zeros(3), signs)
        lines.append(f"space: {frame}")
        vectors = " ".join(_vector(column) for column in matrix.T)
        lines.append(f"{one_of(rng, ['space directions', 'spacedirections'])}: {vectors}")
        if chance(rng, 0.8):
            name = one_of(rng, ["space origin", "spaceorigin"])
            lines.append(f"{name}: {_vector(origin)}")
            if expected is not None:
                expected = (matrix, origin, expected[2])
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
        ends = rng.random()
        if ends < 0.15:
            expected, noted = _ends(rng, lines, shape, spacing, low, centering), True
        elif ends < 0.9:
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
        if expected is None:
            return 0  # not even it
    story.say("convert('in.nrrd', 'image.mla')")
    notes = convert(path, target).notes
    if noted != any("readers" in note for note in notes):
        story.fail("NRRD in: what readers take differently", f"notes    {notes}")
    image = MLArray(target)
    found = image[...].reshape(shape)
    if not np.array_equal(found, voxels.reshape(shape[::-1]).T):
        story.fail("NRRD in: other voxels")
    compared = 0
    where = of_itk(itk, None)[0] if expected is None else _where(*expected)
    for index in corners(shape):
        ours, size = world(image, (*index, *[0] * (image.ndim - count)))
        theirs = where(index)
        if not oriented and expected is None:
            ours = ours * [-1, -1, 1]  # without a frame, ITK takes its own
        theirs = theirs[: max(count, 3)]
        if not np.all(np.abs(ours - theirs) <= 1e-6 * max(size.max(), 1e-30)):
            story.fail("NRRD in: another position" + ("" if oriented else ", per axis"),
                       f"index    {index}", f"found    {ours.tolist()} (RAS)",
                       f"expected {theirs.tolist()}")  # fmt: skip
        compared += 1
    for suffix in (".nrrd", ".nii"):
        out = place.file(f"out{suffix}")
        report = convert(target, out)
        if oriented:
            story.say(f"convert('image.mla', 'out{suffix}')")
            compared += compare(story, image, out, report.notes)
    return compared


# What teem does not know, which way it goes in RAS, and whether a note says so.
UNKNOWN_SPACES = [
    ('"LPS"', [-1, -1, 1], False),
    ("'right-anterior-superior'", [1, 1, 1], False),
    ("RPS", [1, -1, 1], True),
    ("lai", [-1, 1, -1], True),
    ("LPS+", [-1, -1, 1], True),
    ("foo", [1, 1, 1], True),
]


def _ends(
    rng: Rng, lines: list[str], shape: tuple[int, ...], spacing: Array, low: Array, center: str
) -> tuple[Array, Array, list[int]]:
    """Ends of axes without their spacings; matrix and origin by the format's definition."""
    count = len(shape)
    given = one_of(rng, ["both", "both", "axis mins", "axis maxs"])
    node = "node" in center.lower()
    high = low + spacing * ([n - node for n in shape] * rng.choice([-1.0, 1.0], count))
    for name, ends in (("axis mins", low), ("axis maxs", high)):
        if given in ("both", name):
            spelled = one_of(rng, [name, name.replace(" ", "")])
            lines.append(f"{spelled}: {' '.join(map(repr, ends.tolist()))}")
    if given != "both":
        return np.eye(count), np.zeros(count), [1, 1, 1]
    steps = (high - low) / [n - node for n in shape]
    return np.diag(steps), low + steps / 2 * (not node), [1, 1, 1]


def _where(matrix: Array, origin: Array, signs: list[int]) -> Any:
    """From an index to a position in RAS."""

    def where(index: tuple[int, ...]) -> Array:
        point = np.zeros(3)
        count = len(origin)
        point[:count] = matrix @ np.array(index[:count]) + origin
        return point * signs

    return where


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
    whole = np.zeros((4, count + 1))
    whole[3, count] = 1
    for row in range(count):
        axis = LABELS.index(labels[row]) if given else row
        whole[axis, :count] = matrix[row] * signs_of(frame)[axis]
    codes = nibabel.orientations.io_orientation(whole)
    # Where two letters are as near, either is right.
    near = [whole * (1 + rng.uniform(-1e-6, 1e-6, whole.shape)) for _ in range(3)]
    shaken = [nibabel.orientations.io_orientation(other) for other in near]
    if any(not np.array_equal(codes, other, equal_nan=True) for other in shaken):
        return 0
    expected = "".join(letter or "?" for letter in nibabel.orientations.ornt2axcodes(codes))
    found = orient(affine.tolist(), given, frame)
    story.say(f"orient({affine.tolist()}, {given}, {frame!r})")
    if "?" in expected:
        return 0  # no letter of its own: nibabel gives none, we give one or none
    if found is None or found.codes != expected:
        sheared = not np.allclose(*gram(matrix), atol=1e-6)
        story.fail(f"letters{' of a sheared affine' if sheared else ''}, {count} axes",
                   f"found    {found and found.codes}", f"expected {expected}")  # fmt: skip
    return 1


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
