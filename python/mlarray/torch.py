"""`mlarray.training` for PyTorch."""

from __future__ import annotations

from .training._sliding_window import sliding_window

__all__ = ["sliding_window"]
