"""The sections of the metadata and the texts that some fields take.

Fields, types and rules come from one table in the C++ core; docs/metadata.md shows it. The
annotations of the classes below are written by ``tools/generate_meta_fields.py`` from that
table; at run time the classes take their fields from it directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from . import _core
from ._compat.positions import in_either_order
from ._meta_base import BaseMeta, Field, SingleKeyBaseMeta

__all__ = [
    "AxisLabel",
    "AxisLabelEnum",
    "CoordSystem",
    "CoordSystemEnum",
    "MetaBbox",
    "MetaBlosc2",
    "MetaExtra",
    "MetaHasArray",
    "MetaImageFormat",
    "MetaIsSeg",
    "MetaOriginal",
    "MetaSource",
    "MetaSpatial",
    "MetaStatistics",
    "MetaVersion",
]


class AxisLabel(str, Enum):
    """Roles of axes. Any other text is allowed as a label and is not an axis of space."""

    spatial = "spatial"
    spatial_x = "spatial_x"
    spatial_y = "spatial_y"
    spatial_z = "spatial_z"
    non_spatial = "non_spatial"
    channel = "channel"
    temporal = "temporal"
    continuous = "continuous"
    components = "components"


class CoordSystem(str, Enum):
    """Conventions of world coordinates. Any other text is allowed as well."""

    RAS = "RAS"
    LPS = "LPS"
    RAS_PLUS = "RAS+"
    LPS_PLUS = "LPS+"
    unknown = "unknown"
    other = "other"


AxisLabelEnum = AxisLabel
CoordSystemEnum = CoordSystem


class MetaSource(SingleKeyBaseMeta, section="source"):
    """Metadata of the image's original file, a dict (``meta.original`` in older versions)."""

    # fields: source
    data: Field[dict[str, Any]]
    # end of fields


class MetaExtra(SingleKeyBaseMeta, section="extra"):
    """Anything else, a dict."""

    # fields: extra
    data: Field[dict[str, Any]]
    # end of fields


class MetaSpatial(BaseMeta, section="spatial"):
    """Where the voxels are, and what the axes mean."""

    AxisLabel = AxisLabel
    CoordSystem = CoordSystem

    # fields: spatial
    spacing: Field[list[float] | None]
    origin: Field[list[float] | None]
    direction: Field[list[list[float]] | None]
    affine: Field[list[list[float]] | None]
    shape: Field[list[int] | None]
    axis_labels: Field[list[str] | None]
    coord_system: Field[str | None]
    axis_units: Field[list[str] | None]
    _num_spatial_axes: Field[int | None]
    _num_non_spatial_axes: Field[int | None]
    # end of fields

    @in_either_order("MetaSpatial")
    def __init__(self, *args: Any, channel_axis: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if channel_axis is not None:
            if self.axis_labels is not None:
                raise ValueError(
                    "spatial.channel_axis and spatial.axis_labels say the same; give only one"
                )
            self.channel_axis = channel_axis

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> MetaSpatial:
        """Make an instance of a dict, which may have the older key ``channel_axis``."""
        if isinstance(mapping, Mapping) and "channel_axis" in mapping:
            if mapping["channel_axis"] is not None:
                mapping = _core.Metadata.from_value({"spatial": mapping}).to_tree()["spatial"]
            mapping = {key: value for key, value in mapping.items() if key != "channel_axis"}
        return super().from_mapping(mapping)

    @property
    def channel_axis(self) -> int | None:
        """The only axis that is not spatial; None if there is none or more than one.

        The older way to say `axis_labels`: setting it labels that axis 'channel' and the
        others 'spatial'.

        Raises
        ------
        ValueError
            On setting, if the number of axes is not known, or it is not one of them.
        """
        return _core.channel_axis_of(self.axis_labels)

    @channel_axis.setter
    def channel_axis(self, value: int | None) -> None:
        if value is None:
            self.axis_labels = None
            return
        tree = {name: v for name, v in self._tree().items() if name != "axis_labels"}
        strict = _core.Metadata.from_value({"spatial": {**tree, "channel_axis": value}})
        self.axis_labels = strict.to_tree()["spatial"]["axis_labels"]


class MetaStatistics(BaseMeta, section="stats"):
    """Statistics of the voxel values, which `MLArray.compute_statistics` fills."""

    # fields: stats
    min: Field[float | None]
    max: Field[float | None]
    mean: Field[float | None]
    median: Field[float | None]
    std: Field[float | None]
    percentile_min: Field[float | None]
    percentile_max: Field[float | None]
    percentile_mean: Field[float | None]
    percentile_median: Field[float | None]
    percentile_std: Field[float | None]
    percentile_min_key: Field[float | None]
    percentile_max_key: Field[float | None]
    # end of fields


class MetaBbox(BaseMeta, section="bbox"):
    """Boxes with scores and labels."""

    # fields: bbox
    bboxes: Field[list[list[list[float]]] | None]
    scores: Field[list[float] | None]
    labels: Field[list[str | float] | None]
    # end of fields


class MetaIsSeg(SingleKeyBaseMeta, section="is_seg"):
    """Whether the image is a segmentation; None: not known."""

    # fields: is_seg
    is_seg: Field[bool | None]
    # end of fields


class MetaBlosc2(BaseMeta, section="blosc2"):
    """How the voxels are stored; managed by `MLArray`."""

    # fields: blosc2
    chunk_size: Field[list[int] | None]
    block_size: Field[list[int] | None]
    patch_size: Field[list[int] | None]
    cparams: Field[dict[str, Any] | None]
    dparams: Field[dict[str, Any] | None]
    # end of fields


class MetaHasArray(SingleKeyBaseMeta, section="_has_array"):
    """Whether there are voxels; managed by `MLArray`."""

    # fields: _has_array
    has_array: Field[bool]
    # end of fields


class MetaImageFormat(SingleKeyBaseMeta, section="_image_meta_format"):
    """Name of the format that the source metadata is from; managed by `MLArray`."""

    # fields: _image_meta_format
    image_meta_format: Field[str | None]
    # end of fields


class MetaVersion(SingleKeyBaseMeta, section="_mlarray_version"):
    """Version of the metadata's layout; managed by `MLArray`."""

    # fields: _mlarray_version
    mlarray_version: Field[str | None]
    # end of fields


MetaOriginal = MetaSource
