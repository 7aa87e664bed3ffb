"""For training and prediction: batches of patches, label indexes, blended predictions.

Threads that run no Python read and decode. NumPy is all that is needed; `mlarray.torch` has the
same as tensors.

Examples
--------
>>> from mlarray.training import Case, PatchLoader
>>> cases = [Case("image.mla")]
>>> with PatchLoader(cases, (8, 8, 8), batch_size=2, samples_per_epoch=4) as loader:
...     [batch["image"].shape for batch in loader]
[(2, 1, 8, 8, 8), (2, 1, 8, 8, 8)]
"""

from __future__ import annotations

from ._aggregator import Aggregator, AggregatorOptions
from ._labels import LabelClass, LabelIndex
from .case import Case
from .folder import cases_from_folder
from .loader import Batch, PatchLoader, Skipped, Times
from .normalize import Normalize
from .options import LoaderOptions
from .samplers import Balanced, Grid, Listed, Sampler, Uniform

__all__ = [
    "Aggregator",
    "AggregatorOptions",
    "Balanced",
    "Batch",
    "Case",
    "Grid",
    "LabelClass",
    "LabelIndex",
    "Listed",
    "LoaderOptions",
    "Normalize",
    "PatchLoader",
    "Sampler",
    "Skipped",
    "Times",
    "Uniform",
    "cases_from_folder",
]
