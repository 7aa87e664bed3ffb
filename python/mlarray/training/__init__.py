"""What training needs of label maps."""

from __future__ import annotations

from ._labels import LabelClass, LabelIndex

__all__ = ["LabelClass", "LabelIndex"]
