"""What the section ``spatial`` can do besides holding its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .. import _core
from .base import BaseMeta
from .words import AxisLabel as Label
from .words import CoordSystem as System

__all__ = ["SpatialBase"]

Spatial = TypeVar("Spatial", bound="SpatialBase")


class SpatialBase(BaseMeta):
    """The base of `MetaSpatial`: the older ``channel_axis``, and lengths that fit an image."""

    AxisLabel = Label
    CoordSystem = System

    # How many axes the image has that this metadata is of; None if that is not known. Copies
    # and pickles are of no image.
    _ndim: int | None = None

    def __init__(self, *, channel_axis: int | None = None, **values: Any) -> None:
        super().__init__(**values)
        if channel_axis is not None:
            if self._get("axis_labels") is not None:
                raise ValueError(
                    "spatial.channel_axis and spatial.axis_labels say the same; give only one"
                )
            self.channel_axis = channel_axis

    @classmethod
    def from_mapping(cls: type[Spatial], mapping: Mapping[str, Any]) -> Spatial:
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
        return _core.channel_axis_of(self._get("axis_labels"))

    @channel_axis.setter
    def channel_axis(self, value: int | None) -> None:
        labels = None
        if value is not None:
            tree = {name: v for name, v in self._tree().items() if name != "axis_labels"}
            strict = _core.Metadata.from_value({"spatial": {**tree, "channel_axis": value}})
            labels = strict.to_tree()["spatial"]["axis_labels"]
        self._fill({"axis_labels": labels})

    def _check_assigned(self, values: Mapping[str, Any], tree: Mapping[str, Any]) -> None:
        super()._check_assigned(values, tree)
        if self._ndim is None:
            return
        # What is assigned, and the labels that tell how long it must be: other fields that a
        # file has wrong must not be in the way of putting them right one by one.
        names = {name for name, value in values.items() if value is not None}
        if not names:
            return
        looked_at = {n: v for n, v in tree.items() if n in names or n == "axis_labels"}
        _core.metadata_check({"spatial": looked_at}, self._ndim)
