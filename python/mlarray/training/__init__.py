"""For training and prediction: without a framework, by NumPy."""

from __future__ import annotations

from ._aggregator import Aggregator

__all__ = ["Aggregator"]
