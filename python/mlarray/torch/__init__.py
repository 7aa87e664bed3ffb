"""Batches of patches as tensors, and prediction: `mlarray.training` for PyTorch.

`PatchLoader` needs no worker processes. `PatchDataset` is for a `DataLoader` with workers.
``pip install "mlarray[torch]"``.
"""

from __future__ import annotations

from ..training._sliding_window import sliding_window
from .loader import PatchDataset, PatchLoader

__all__ = ["PatchDataset", "PatchLoader", "sliding_window"]
