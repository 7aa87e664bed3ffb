"""Uses of the metadata that type checkers must refuse: one error in each marked line.

Never run. ``test_misuse.py`` lets mypy and pyright look at it; lines without a mark are right.
"""

from __future__ import annotations

import json

import numpy as np

from mlarray import Meta, MLArray
from mlarray.meta import AxisLabel, MetaBbox, MetaIsSeg, MetaSpatial, MetaStatistics

image = MLArray(np.zeros((4, 5, 6)))
meta = image.meta

# What is right.
MetaSpatial(spacing=[1, 2.5, 3], origin=(0, 0, 0), direction=np.eye(3), coord_system="RAS")
MetaSpatial(axis_labels=[AxisLabel.channel, AxisLabel.spatial], channel_axis=None)
MetaStatistics(1, max=np.float32(2))
MetaBbox([[[0, 1], [2, 3]]], scores=[0.5], labels=["a", 3])
meta.spatial.spacing = np.array([1.0, 2.0, 3.0])
meta.spatial.spacing = (1, 2, 3)
meta.spatial = {"spacing": [1, 2, 3]}
meta.source = {"a": 1}
meta.source["b"] = 2
meta.is_seg = True
text: str = json.dumps(meta.source)
spacing: list[float] | None = meta.spatial.spacing
known: bool | None = meta.is_seg.is_seg
Meta({"a": 1}, spatial=MetaSpatial(spacing=[1]), is_seg=None, original=None)

# What is not.
MetaSpatial(spcing=[1, 2, 3])  # misuse
MetaSpatial(spacing="1, 2, 3")  # misuse
MetaSpatial(spacing=3)  # misuse
MetaSpatial(axis_labels="spatial")  # misuse
MetaStatistics(mean="low")  # misuse
MetaStatistics(maen=1)  # misuse
MetaIsSeg("yes")  # misuse
Meta(spatal={})  # misuse
Meta(stats=5)  # misuse
print(meta.spatal)  # misuse
print(meta.spatial.spcing)  # misuse
meta.spatial.spacing = "wide"  # misuse
meta.spatial.spacing = [1, "wide"]  # misuse
meta.spatial.shape = [1, 2, 3]  # misuse
meta.spatial.coord_system = 5  # misuse
meta.blosc2.patch_size = [1, 2, 3]  # misuse
meta.stats.max = "high"  # misuse
print(meta.stats.maximum)  # misuse
print(meta.bbox.boxes)  # misuse
meta.source = 5  # misuse
meta.source.keyz()  # misuse
meta.is_seg = "yes"  # misuse
meta.is_seg.keys()  # misuse
wrong: str = meta.spatial.spacing  # misuse
