"""The transforms of a pipeline, as plain data with types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias

Range: TypeAlias = (
    "float | tuple[float, float] | tuple[float, float, Literal['halves', 'normal']]"
)
"""A number that is drawn for each sample: one number; uniform in [low, high); half of the
draws in [low, 1), the others in [1, high); or normal, by mean and standard deviation."""


@dataclass(frozen=True)
class _Part:
    def _value(self) -> dict[str, Any]:
        """As the core reads it."""
        value = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        name = getattr(self, "_name", None)
        return value if name is None else {"transform": name, **value}


def _plain(value: Any) -> Any:
    if isinstance(value, _Part):
        return value._value()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class Spatial(_Part):
    """Which voxel of the initial patch is shown where.

    Voxel o of the patch shows what is at ``A (o - (patch - 1) / 2 + u(o)) + (initial - 1) / 2 +
    t``, with ``A = Rz Ry Rx H S``: scales S, shear H, rotations R around each axis, an elastic
    u and a translation t. Then axes are exchanged. A label is the one with most weight among
    its neighbours. Where nothing lies between voxels, they are copied.

    Parameters
    ----------
    p_rotation, p_scaling, p_shear, p_translation, p_elastic : float
        Probabilities.
    rotation : Range
        Radians, for each axis alone.
    scaling : Range
        Above 1, more is seen, smaller.
    same_scale : bool
        For all axes.
    planar : bool
        Three axes, of which the first is left alone ("dummy 2-D").
    shear : Range
        Each factor of H off its diagonal.
    translation : Range
        Voxels, for each axis alone.
    elastic_spacing : Range
        Voxels between control points, at most.
    elastic_magnitude : Range
        Voxels by which a control point moves along each axis, at most.
    random_crop : bool
        The patch lies anywhere in the initial patch, instead of in its middle.
    p_rot90 : float
        Of one, two or three quarter turns.
    rot90_axes : sequence of int
        Two axes.
    p_swap : float
        That `swap_axes` are put into any order.
    swap_axes : sequence of int
        Axes of equal length.
    interpolation : 'linear' or 'cubic'
        Of images.
    padding : 'constant', 'edge' or 'reflect'
        Of images, outside of the initial patch; labels are -1 there.
    image_fill : float
        The constant.
    """

    p_rotation: float = 0.0
    rotation: Range = 0.0
    p_scaling: float = 0.0
    scaling: Range = 1.0
    same_scale: bool = True
    planar: bool = False
    p_shear: float = 0.0
    shear: Range = 0.0
    p_translation: float = 0.0
    translation: Range = 0.0
    p_elastic: float = 0.0
    elastic_spacing: Range = (32.0, 64.0)
    elastic_magnitude: Range = (0.0, 8.0)
    random_crop: bool = False
    p_rot90: float = 0.0
    rot90_axes: Sequence[int] = (0, 1)
    p_swap: float = 0.0
    swap_axes: Sequence[int] = ()
    interpolation: Literal["linear", "cubic"] = "linear"
    padding: Literal["constant", "edge", "reflect"] = "constant"
    image_fill: float = 0.0


@dataclass(frozen=True)
class Intensity(_Part):
    """What is done to the voxels of an image.

    Parameters
    ----------
    p : float
        Probability, of a sample.
    p_channel : float
        Then of each of its channels.
    same_channels : bool
        What is drawn is drawn once for all of them.
    """

    _name: ClassVar[str]

    p: float = 0.0
    p_channel: float = 1.0
    same_channels: bool = False


@dataclass(frozen=True)
class GaussianNoise(Intensity):
    """``x + sigma n``, n normal and of its own for each voxel.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    sigma : Range
        Standard deviation.
    """

    _name = "gaussian_noise"

    same_channels: bool = True
    sigma: Range = (0.0, 0.1)


@dataclass(frozen=True)
class GaussianBlur(Intensity):
    """A Gaussian along each axis, cut off after 3 sigma; borders reflected.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    same_axes : bool
        One sigma for all axes.
    sigma : Range
        Voxels.
    """

    _name = "gaussian_blur"

    same_axes: bool = False
    sigma: Range = (0.5, 1.0)


@dataclass(frozen=True)
class Brightness(Intensity):
    """``f x``.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    factor : Range
        f.
    """

    _name = "brightness"

    factor: Range = (0.75, 1.25, "halves")


@dataclass(frozen=True)
class Contrast(Intensity):
    """``f (x - mean) + mean``.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    factor : Range
        f.
    keep_range : bool
        Cut to the range of before.
    """

    _name = "contrast"

    factor: Range = (0.75, 1.25, "halves")
    keep_range: bool = True


@dataclass(frozen=True)
class LowResolution(Intensity):
    """The nearest of fewer voxels, then as many as before, linearly between them.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    same_axes : bool
        One scale for all axes.
    scale : Range
        Share of the voxels along an axis.
    fixed_axes : sequence of int
        Axes that keep their resolution.
    """

    _name = "low_resolution"

    same_axes: bool = True
    scale: Range = (0.5, 1.0)
    fixed_axes: Sequence[int] = ()


@dataclass(frozen=True)
class Gamma(Intensity):
    """The range of x is mapped to 0 to 1, raised to a power, and mapped back.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    gamma : Range
        The power.
    p_invert : float
        Probability that it is done to -x.
    p_keep_stats : float
        Probability that mean and deviation become those of before.
    """

    _name = "gamma"

    gamma: Range = (0.7, 1.5, "halves")
    p_invert: float = 0.0
    p_keep_stats: float = 1.0


@dataclass(frozen=True)
class RicianNoise(Intensity):
    """``sqrt((x - min + sigma n)^2 + (sigma m)^2) + min``: magnitude images of MR.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    sigma : Range
        Standard deviation of n and m.
    keep_stats : bool
        Mean and deviation become those of before.
    """

    _name = "rician_noise"

    same_channels: bool = True
    sigma: Range = (0.0, 0.1)
    keep_stats: bool = True


@dataclass(frozen=True)
class Sharpening(Intensity):
    """``x + s L(x)``, L the sum of the differences to the 4 or 6 neighbours.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    strength : Range
        s.
    keep_range : bool
        Cut to the range of before.
    """

    _name = "sharpening"

    strength: Range = (0.1, 1.0)
    keep_range: bool = False


@dataclass(frozen=True)
class BrightnessAdditive(Intensity):
    """``x + b``.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    shift : Range
        b.
    """

    _name = "brightness_additive"

    shift: Range = (0.0, 0.5, "normal")


@dataclass(frozen=True)
class BlankRectangle(Intensity):
    """Boxes of one value, anywhere inside.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    same_axes : bool
        One share for all axes.
    count : Range
        How many, rounded down.
    share : Range
        Of the axis, for each axis; at least one voxel.
    value : Range
        Of all voxels of a box.
    mean : bool
        The mean of what was there, instead.
    """

    _name = "blank_rectangle"

    same_axes: bool = False
    count: Range = (1.0, 5.0)
    share: Range = (0.1, 0.33)
    value: Range = 0.0
    mean: bool = False


@dataclass(frozen=True)
class MedianFilter(Intensity):
    """The median of a box around each voxel; borders reflected.

    Parameters
    ----------
    p, p_channel, same_channels
        As for `Intensity`.
    size : Range
        Voxels along each axis, rounded down; at most 15.
    """

    _name = "median_filter"

    size: Range = (2.0, 8.0)


@dataclass(frozen=True)
class Cascade(_Part):
    """What is done to labels of an earlier stage, in random order of the labels.

    Parameters
    ----------
    p_operator : float
        Probability, of a sample, that labels are dilated, eroded, closed or opened.
    p_operator_label : float
        Then of each label. What it gains, the others lose.
    radius : Range
        Voxels.
    p_remove_component, p_remove_component_label : float
        The same for one component, which is removed.
    largest_component : float
        Only those that are a smaller share of the patch are removed.
    p_fill_other : float
        Probability that it becomes part of another label.
    """

    p_operator: float = 0.0
    p_operator_label: float = 1.0
    radius: Range = (1.0, 8.0)
    p_remove_component: float = 0.0
    p_remove_component_label: float = 1.0
    largest_component: float = 0.15
    p_fill_other: float = 0.0


@dataclass(frozen=True)
class Labels(_Part):
    """What becomes of the labels once they lie in the patch, in this order.

    Parameters
    ----------
    masked_channels : sequence of int
        Channels of the image that are `masked_value` where the first label is negative.
    masked_value : float
        The value.
    remove_outside : bool
        -1, which is outside, becomes 0.
    remove : sequence of (int, int)
        Pairs: this label becomes that one.
    previous : sequence of int
        The second label channel goes to the image, as a channel of 0 and 1 for each of these.
    cascade : Cascade
        What is done to these channels.
    regions : sequence of sequences of int
        The first label becomes a channel of 0 and 1 for each; of one label each: one-hot.
    scales : sequence of sequences of float
        Resolutions at which labels are wanted, a factor for each axis.
    """

    masked_channels: Sequence[int] = ()
    masked_value: float = 0.0
    remove_outside: bool = True
    remove: Sequence[tuple[int, int]] = ()
    previous: Sequence[int] = ()
    cascade: Cascade = Cascade()
    regions: Sequence[Sequence[int]] = ()
    scales: Sequence[Sequence[float]] = ()
