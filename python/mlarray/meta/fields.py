"""The sections of the metadata and their fields.

Written by ``tools/generate_meta_fields.py`` from the core's table, ``src/metadata/schema.cpp``:
do not edit. docs/metadata.md shows the same table.

At run time the classes take their fields from the table; the annotations tell type checkers
what a field reads as, and what it takes. A misspelt argument is refused by them, as no value is
a ``NoReturn``, and at run time with an error that lists the fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from .._argument_orders import in_either_order
from .base import BaseMeta, DictMeta, Field, ValueMeta
from .spatial import SpatialBase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from .words import AxisLabel

    Number: TypeAlias = float | np.integer[Any] | np.floating[Any]
    Numbers: TypeAlias = Sequence[Number] | NDArray[Any]
    Rows: TypeAlias = Sequence[Sequence[Number]] | Sequence[NDArray[Any]] | NDArray[Any]
    Boxes: TypeAlias = Sequence[Rows] | NDArray[Any]
    # A text is a sequence of texts, but no list of labels.
    Texts: TypeAlias = list[str] | list[AxisLabel] | tuple[str, ...] | NDArray[Any]
    Labels: TypeAlias = Sequence[str | float] | NDArray[Any]

__all__ = [
    "MetaBbox",
    "MetaBlosc2",
    "MetaExtra",
    "MetaHasArray",
    "MetaImageFormat",
    "MetaIsSeg",
    "MetaSource",
    "MetaSpatial",
    "MetaStatistics",
    "MetaVersion",
]


class MetaSource(DictMeta, section="source"):
    """Metadata of the image's original file, a dict (``meta.original`` in older versions)."""

    data: Field[dict[str, Any], Mapping[str, Any] | None]

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            data=data,
            **misspelt,
        )


class MetaExtra(DictMeta, section="extra"):
    """Anything else, a dict."""

    data: Field[dict[str, Any], Mapping[str, Any] | None]

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            data=data,
            **misspelt,
        )


class MetaSpatial(SpatialBase, section="spatial"):
    """Where the voxels are, and what the axes mean."""

    spacing: Field[list[float] | None, Numbers | None]
    origin: Field[list[float] | None, Numbers | None]
    direction: Field[list[list[float]] | None, Rows | None]
    affine: Field[list[list[float]] | None, Rows | None]
    shape: Field[list[int] | None, NoReturn]
    axis_labels: Field[list[str] | None, Texts | None]
    coord_system: Field[str | None, str | None]
    axis_units: Field[list[str] | None, Texts | None]
    _num_spatial_axes: Field[int | None, NoReturn]
    _num_non_spatial_axes: Field[int | None, NoReturn]

    @in_either_order("MetaSpatial")
    def __init__(
        self,
        spacing: Numbers | None = None,
        origin: Numbers | None = None,
        direction: Rows | None = None,
        affine: Rows | None = None,
        shape: Numbers | None = None,
        axis_labels: Texts | None = None,
        coord_system: str | None = None,
        axis_units: Texts | None = None,
        _num_spatial_axes: int | None = None,
        _num_non_spatial_axes: int | None = None,
        *,
        channel_axis: int | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            spacing=spacing,
            origin=origin,
            direction=direction,
            affine=affine,
            shape=shape,
            axis_labels=axis_labels,
            coord_system=coord_system,
            axis_units=axis_units,
            _num_spatial_axes=_num_spatial_axes,
            _num_non_spatial_axes=_num_non_spatial_axes,
            channel_axis=channel_axis,
            **misspelt,
        )


class MetaStatistics(BaseMeta, section="stats"):
    """Statistics of the voxel values, which `MLArray.compute_statistics` fills."""

    min: Field[float | None, Number | None]
    max: Field[float | None, Number | None]
    mean: Field[float | None, Number | None]
    median: Field[float | None, Number | None]
    std: Field[float | None, Number | None]
    percentile_min: Field[float | None, Number | None]
    percentile_max: Field[float | None, Number | None]
    percentile_mean: Field[float | None, Number | None]
    percentile_median: Field[float | None, Number | None]
    percentile_std: Field[float | None, Number | None]
    percentile_min_key: Field[float | None, Number | None]
    percentile_max_key: Field[float | None, Number | None]

    def __init__(
        self,
        min: Number | None = None,
        max: Number | None = None,
        mean: Number | None = None,
        median: Number | None = None,
        std: Number | None = None,
        percentile_min: Number | None = None,
        percentile_max: Number | None = None,
        percentile_mean: Number | None = None,
        percentile_median: Number | None = None,
        percentile_std: Number | None = None,
        percentile_min_key: Number | None = None,
        percentile_max_key: Number | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            min=min,
            max=max,
            mean=mean,
            median=median,
            std=std,
            percentile_min=percentile_min,
            percentile_max=percentile_max,
            percentile_mean=percentile_mean,
            percentile_median=percentile_median,
            percentile_std=percentile_std,
            percentile_min_key=percentile_min_key,
            percentile_max_key=percentile_max_key,
            **misspelt,
        )


class MetaBbox(BaseMeta, section="bbox"):
    """Boxes with scores and labels."""

    bboxes: Field[list[list[list[float]]] | None, Boxes | None]
    scores: Field[list[float] | None, Numbers | None]
    labels: Field[list[str | float] | None, Labels | None]

    def __init__(
        self,
        bboxes: Boxes | None = None,
        scores: Numbers | None = None,
        labels: Labels | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            bboxes=bboxes,
            scores=scores,
            labels=labels,
            **misspelt,
        )


class MetaIsSeg(ValueMeta, section="is_seg"):
    """Whether the image is a segmentation; None: not known."""

    is_seg: Field[bool | None, bool | np.bool_ | None]

    def __init__(
        self,
        is_seg: bool | np.bool_ | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            is_seg=is_seg,
            **misspelt,
        )


class MetaBlosc2(BaseMeta, section="blosc2"):
    """How the voxels are stored; managed by `MLArray`."""

    chunk_size: Field[list[int] | None, NoReturn]
    block_size: Field[list[int] | None, NoReturn]
    patch_size: Field[list[int] | None, NoReturn]
    cparams: Field[dict[str, Any] | None, NoReturn]
    dparams: Field[dict[str, Any] | None, NoReturn]

    def __init__(
        self,
        chunk_size: Numbers | None = None,
        block_size: Numbers | None = None,
        patch_size: Numbers | None = None,
        cparams: Mapping[str, Any] | None = None,
        dparams: Mapping[str, Any] | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            chunk_size=chunk_size,
            block_size=block_size,
            patch_size=patch_size,
            cparams=cparams,
            dparams=dparams,
            **misspelt,
        )


class MetaHasArray(ValueMeta, section="_has_array"):
    """Whether there are voxels; managed by `MLArray`."""

    has_array: Field[bool, NoReturn]

    def __init__(
        self,
        has_array: bool | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            has_array=has_array,
            **misspelt,
        )


class MetaImageFormat(ValueMeta, section="_image_meta_format"):
    """Name of the format that the source metadata is from; managed by `MLArray`."""

    image_meta_format: Field[str | None, NoReturn]

    def __init__(
        self,
        image_meta_format: str | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            image_meta_format=image_meta_format,
            **misspelt,
        )


class MetaVersion(ValueMeta, section="_mlarray_version"):
    """Version of the metadata's layout; managed by `MLArray`."""

    mlarray_version: Field[str | None, NoReturn]

    def __init__(
        self,
        mlarray_version: str | None = None,
        **misspelt: NoReturn,
    ) -> None:
        super().__init__(
            mlarray_version=mlarray_version,
            **misspelt,
        )
