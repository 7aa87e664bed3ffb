"""Texts that some fields of the metadata take."""

from __future__ import annotations

from enum import Enum

__all__ = ["AxisLabel", "AxisLabelEnum", "CoordSystem", "CoordSystemEnum"]


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
