"""Augmentation of samples, drawn first and applied in one pass of one thread.

A :class:`Pipeline` is made by a preset, :func:`nnunet` or :func:`monai_basic`, or of transforms
by :meth:`Pipeline.of`. docs/augmentation.md shows each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from .. import _core
from ..errors import InvalidTypeError, InvalidValueError
from ._arguments import groups, number, truth, whole, wholes
from ._transforms import (
    BlankRectangle,
    Brightness,
    BrightnessAdditive,
    Cascade,
    Contrast,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    Intensity,
    Labels,
    LowResolution,
    MedianFilter,
    RicianNoise,
    Sharpening,
    Spatial,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BlankRectangle",
    "Brightness",
    "BrightnessAdditive",
    "Cascade",
    "Contrast",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "Intensity",
    "Labels",
    "LowResolution",
    "MedianFilter",
    "Pipeline",
    "RicianNoise",
    "Sharpening",
    "Spatial",
    "instruction_sets",
    "monai_basic",
    "nnunet",
    "use_instruction_set",
]

_LabelArrays: TypeAlias = "NDArray[np.int16] | list[NDArray[np.int16]]"


class Pipeline:
    """What is done to one sample, as plain data.

    Made by a preset as :func:`nnunet`, of transforms by :meth:`of`, or of the maps and lists
    that :attr:`value` shows.
    Immutable; two of the same value are equal and have the same hash. Safe from any thread:
    :meth:`apply` releases the GIL and uses the calling thread alone.

    Parameters
    ----------
    value : mapping
        Its parts: "patch" and "initial", the spatial shapes of what comes out and of what
        goes in; "spatial"; "intensity", a list of transforms by name; "mirror_axes"; "labels".
        What is missing has its default; names that are not known are refused.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        Both name the field, as ``intensity[2].sigma``.
    """

    __slots__ = ("_core", "_value")

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._core = _core.AugmentPipeline.from_value(_map(value, "the pipeline"))
        self._value = cast("dict[str, Any]", self._core.value())

    @classmethod
    def _of(cls, core: _core.AugmentPipeline) -> Pipeline:
        return cls(cast("dict[str, Any]", core.value()))

    @classmethod
    def of(
        cls,
        patch_size: Sequence[int],
        *,
        initial: Sequence[int] | None = None,
        spatial: Spatial | None = None,
        intensity: Iterable[Intensity] = (),
        mirror_axes: Sequence[int] = (),
        p_mirror: float = 0.5,
        labels: Labels | None = None,
    ) -> Pipeline:
        """Make one of transforms.

        Parameters
        ----------
        patch_size : sequence of int
            Two or three lengths.
        initial : sequence of int, optional
            Shape of the patch that is read; default: `patch_size`.
        spatial : Spatial, optional
            Where voxels come from.
        intensity : iterable of Intensity
            In this order.
        mirror_axes : sequence of int
            Axes that are flipped, after all of the above.
        p_mirror : float
            Each with this probability.
        labels : Labels, optional
            What becomes of the labels.
        """
        value: dict[str, Any] = {
            "patch": (patch := wholes(patch_size, "patch_size")),
            "initial": patch if initial is None else wholes(initial, "initial"),
            "intensity": [],
            "mirror_axes": wholes(mirror_axes, "mirror_axes"),
            "p_mirror": number(p_mirror, "p_mirror"),
        }
        for name, part, kind in (("spatial", spatial, Spatial), ("labels", labels, Labels)):
            if part is None:
                continue
            if not isinstance(part, kind):
                raise InvalidTypeError(f"{name}={part!r} is no {kind.__name__}")
            value[name] = part._value()
        for transform in intensity:
            if not isinstance(transform, Intensity):
                raise InvalidTypeError(
                    f"intensity has {transform!r}, which is no transform of intensities as "
                    f"GaussianNoise(p=0.1)"
                )
            value["intensity"].append(transform._value())
        return cls(value)

    @classmethod
    def from_json(cls, text: str) -> Pipeline:
        """Read what :meth:`to_json` has written."""
        try:
            value = json.loads(text)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"text is no JSON of a pipeline: {error}") from None
        return cls(value)

    def to_json(self, indent: int | None = None) -> str:
        """Return it as JSON."""
        return json.dumps(self._value, indent=indent)

    @property
    def value(self) -> dict[str, Any]:
        """A copy of it as maps and lists, to be changed and given to :class:`Pipeline`."""
        copy: dict[str, Any] = json.loads(self.to_json())
        return copy

    @property
    def patch(self) -> tuple[int, ...]:
        """Spatial shape of what comes out."""
        return tuple(self._value["patch"])

    @property
    def initial(self) -> tuple[int, ...]:
        """Spatial shape of what goes in."""
        return tuple(self._value["initial"])

    def draw(self, seed: int, channels: int = 1) -> dict[str, Any]:
        """Draw what one sample gets, as plain data.

        The same seed gives the same. It has "matrix" (by rows of three axes; None: no change),
        "shift", "elastic", "axes" (as `numpy.transpose` takes them), "flips", "steps" (a
        transform, a channel and its values each), "cascade" and "seed", of the noise.
        """
        number = whole(seed, "seed", None) % 2**64
        return cast("dict[str, Any]", self._core.draw(number, whole(channels, "channels")))

    def support(self, drawn: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return start and stop of the box of the initial patch that is used."""
        start, stop = self._core.support(_map(drawn, "drawn"))
        return tuple(start), tuple(stop)

    def placement(self, drawn: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return where voxels of the patch come from, without what is elastic.

        Parameters
        ----------
        drawn : mapping
            What :meth:`draw` has returned.

        Returns
        -------
        float64 array, (axes, axes + 1)
            From a voxel of the patch, and 1, to its place in the initial patch.
        """
        rows = np.array(self._core.placement(_map(drawn, "drawn"))).reshape(3, 4)
        axes = len(self.patch)
        return rows[3 - axes :, 3 - axes :]

    def apply(
        self,
        image: ArrayLike,
        label: ArrayLike | None = None,
        *,
        seed: int | None = None,
        drawn: Mapping[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], _LabelArrays | None]:
        """Make one sample of an initial patch.

        Parameters
        ----------
        image : array_like
            (channels, \\*initial), numbers.
        label : array_like, optional
            (channels, \\*initial), whole numbers of 16 bits.
        seed : int, optional
            Of all that is random.
        drawn : mapping, optional
            Instead of `seed`: what :meth:`draw` has returned.

        Returns
        -------
        image : float32 array, (channels, \\*patch)
            Labels of an earlier stage are further channels.
        label : int16 array, list of them, or None
            A list where the pipeline has scales for deep supervision.

        Raises
        ------
        InvalidValueError
            For shapes that do not fit, neither or both of seed and drawn.
        InvalidTypeError
            For an image that is no numbers, and labels that are no whole ones.
        """
        voxels = _rows_without_gaps(_as_floats(image))
        if (seed is None) == (drawn is None):
            raise InvalidValueError("give either a seed or what was drawn, and not both")
        axes = len(self.patch)
        if voxels.ndim != axes + 1:
            raise InvalidValueError(
                f"image has shape {voxels.shape}; channels and {axes} axes are needed"
            )
        if drawn is None:
            assert seed is not None
            drawn = self.draw(seed, voxels.shape[0])
        classes = None if label is None else _as_labels(label)
        made: list[NDArray[np.int16]] = []
        channels = voxels.shape[0]
        if classes is not None:
            if classes.ndim != axes + 1:
                raise InvalidValueError(
                    f"label has shape {classes.shape}; channels and {axes} axes are needed"
                )
            made = [
                np.empty(shape, np.int16) for shape in self._core.label_shapes(classes.shape[0])
            ]
            channels = self._core.image_channels(channels)
        out = np.empty((channels, *self.patch), np.float32)
        self._core.apply(_map(drawn, "drawn"), voxels, classes, out, made)
        if classes is None:
            return out, None
        return out, made if self._value["labels"]["scales"] else made[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pipeline):
            return NotImplemented
        return self._value == other._value

    def __hash__(self) -> int:
        return hash(json.dumps(self._value, sort_keys=True))

    def __reduce__(self) -> tuple[type[Pipeline], tuple[dict[str, Any]]]:
        return Pipeline, (self._value,)

    def __repr__(self) -> str:
        names = [transform["transform"] for transform in self._value["intensity"]]
        return f"Pipeline({self.initial} -> {self.patch}, {', '.join(names) or 'no intensity'})"


def nnunet(
    patch_size: Sequence[int],
    *,
    initial: Sequence[int] | None = None,
    planar: bool | None = None,
    max_angle: float | None = None,
    mirror_axes: Sequence[int] | None = None,
    masked_channels: Sequence[int] = (),
    previous: Sequence[int] = (),
    regions: Sequence[int | Sequence[int]] = (),
    ignore_label: int | None = None,
    scales: Sequence[Sequence[float]] = (),
    validation: bool = False,
) -> Pipeline:
    """Return nnU-Net's default training, with the distributions of nnunetv2 2.8.1.

    What is None is as its trainer chooses it by the shape of the patch.

    Parameters
    ----------
    patch_size : sequence of int
        Two or three lengths.
    initial : sequence of int, optional
        The larger patch that is read, so that turned and scaled patches lie within.
    planar : bool, optional
        Whether three axes are warped in the plane of the last two alone ("dummy 2-D").
    max_angle : float, optional
        Rotations are drawn up to it, in radians.
    mirror_axes : sequence of int, optional
        Axes that are flipped, each with probability 1/2.
    masked_channels : sequence of int
        Channels that become 0 outside, where the label is negative (``use_mask_for_norm``).
    previous : sequence of int
        Of a cascade: the foreground labels of its second label channel.
    regions : sequence of int or of sequences of int
        Labels that are joined, one channel of the label each.
    ignore_label : int, optional
        With regions: the last channel.
    scales : sequence of sequences of float
        Of deep supervision: a factor for each axis.
    validation : bool
        The same labels, and nothing random.
    """
    return Pipeline._of(
        _core.augment_nnunet(
            wholes(patch_size, "patch_size"),
            initial=None if initial is None else wholes(initial, "initial"),
            planar=None if planar is None else truth(planar, "planar"),
            max_angle=None if max_angle is None else number(max_angle, "max_angle"),
            mirror_axes=None if mirror_axes is None else wholes(mirror_axes, "mirror_axes"),
            masked_channels=wholes(masked_channels, "masked_channels"),
            previous=wholes(previous, "previous"),
            regions=groups(regions, "regions", single=True),
            ignore_label=None if ignore_label is None else whole(ignore_label, "ignore_label"),
            scales=_factors(scales),
            validation=truth(validation, "validation"),
        )
    )


def monai_basic(
    patch_size: Sequence[int],
    *,
    p_flip: float = 0.2,
    p_rot90: float = 0.2,
    rot90_axes: Sequence[int] = (0, 1),
    p_scale: float = 0.1,
    p_shift: float = 0.1,
) -> Pipeline:
    """Return what MONAI's networks for segmentation are trained with.

    As in its research-contributions (UNETR, BTCV): RandFlip along each axis, RandRotate90,
    RandScaleIntensity and RandShiftIntensity by up to 0.1. RandCropByPosNegLabel, before them,
    is the part of a sampler, as ``Balanced(0.5)``. MONAI's BTCV tutorial is
    ``monai_basic(patch, p_flip=0.1, p_rot90=0.1, p_scale=0, p_shift=0.5)``.

    Parameters
    ----------
    patch_size : sequence of int
        Two or three lengths.
    p_flip : float
        Probability of a flip, for each axis.
    p_rot90 : float
        Probability of one, two or three quarter turns.
    rot90_axes : sequence of int
        Two axes, of the same length in the patch.
    p_scale, p_shift : float
        Probability of each.
    """
    return Pipeline._of(
        _core.augment_monai_basic(
            wholes(patch_size, "patch_size"),
            p_flip=number(p_flip, "p_flip"),
            p_rot90=number(p_rot90, "p_rot90"),
            rot90_axes=wholes(rot90_axes, "rot90_axes"),
            p_scale=number(p_scale, "p_scale"),
            p_shift=number(p_shift, "p_shift"),
        )
    )


def instruction_sets() -> list[str]:
    """What this CPU can do, the one in use first. Results differ by rounding alone."""
    return list(_core.augment_instruction_sets())


def use_instruction_set(name: str) -> None:
    """Let the process use another one, for tests and measurements; "": the best."""
    _core.augment_use_instruction_set(name)


def _map(value: Any, argument: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidTypeError(f"{argument} is a {type(value).__name__}; give a dict")
    return dict(value)


def _factors(scales: Any) -> list[list[float]]:
    try:
        return [[float(factor) for factor in factors] for factors in scales]
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"scales={scales!r} is no sequence of factors for each axis, as [(1, 1, 1)]"
        ) from None


def _as_floats(image: Any) -> NDArray[np.float32]:
    array = np.asarray(image)
    if array.dtype.kind not in "buifO":
        raise InvalidTypeError(f"image has dtype {array.dtype}; real numbers are needed")
    try:
        return np.asarray(array, dtype=np.float32)
    except (TypeError, ValueError):
        raise InvalidTypeError(f"image is a {type(image).__name__} without numbers") from None


def _rows_without_gaps(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array`, or a copy where its rows have gaps, or where elements lie askew."""
    gaps = array.ndim and array.shape[-1] > 1 and array.strides[-1] != array.itemsize
    askew = not array.flags.aligned or any(n % array.itemsize for n in array.strides)
    return array if not askew and not gaps else np.ascontiguousarray(array)


def _as_labels(label: ArrayLike) -> NDArray[np.int16]:
    array = np.asarray(label)
    if array.dtype == np.int16:
        return _rows_without_gaps(array)
    if array.dtype.kind not in ("b", "u", "i"):
        raise InvalidTypeError(f"label has dtype {array.dtype}; whole numbers are needed")
    if array.dtype.itemsize > 1 and array.size:
        least, most = int(array.min()), int(array.max())
        if least < -(2**15) or most >= 2**15:
            raise InvalidValueError(
                f"label has values from {least} to {most}; they are from -32768 to 32767"
            )
    return _rows_without_gaps(array.astype(np.int16))
