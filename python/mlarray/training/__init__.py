"""For training and prediction: without a framework, by NumPy."""

from __future__ import annotations

from ._aggregator import Aggregator
from ._labels import LabelClass, LabelIndex

__all__ = ["Aggregator", "LabelClass", "LabelIndex"]
