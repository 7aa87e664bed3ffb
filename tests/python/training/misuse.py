"""Uses of `mlarray.training` that type checkers must refuse: one error in each marked line.

Never run, as ``meta/misuse.py``; lines without a mark are right.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlarray.training import (
    Aggregator,
    Balanced,
    Case,
    Grid,
    LabelIndex,
    Listed,
    Normalize,
    PatchLoader,
    Uniform,
    cases_from_folder,
)
from mlarray.training.augment import Pipeline, nnunet

image = np.zeros((1, 8, 8, 8), np.float32)
weights = {"weight": "w.mla"}

# What is right.
case = Case(image=["t1.mla", Path("t2.mla")], label="seg.mla", extra=weights, name="7")
cases = [case, Case("a.mla"), *cases_from_folder("images", Path("labels"))]
sampler = Balanced(foreground=0.33, forced="last", classes=[1, 2], pad=(1, 2, 3))
pipeline = nnunet((8, 8, 8), initial=[9, 9, 9], regions=[(1, 2), 3], scales=[[1, 1, 1]])
loader = PatchLoader(cases, (8, 8, 8), batch_size=2, sampler=sampler, seed=0, augment=pipeline)
PatchLoader(iter(cases), 8, sampler=Grid(overlap=4), normalize=Normalize.stats(clip=True))
PatchLoader(cases, [8, 8], slice_axis=0, image_dtype="bfloat16", label_dtype=np.int16)
PatchLoader.from_folder("images", "labels", sampler=Listed([(0, (0, 0, 0))]), threads=2)
for batch in loader:
    voxels: float = batch["image"].mean()
where: int = loader.epoch
warped, _ = pipeline.apply(image, seed=1)
LabelIndex.build("seg.mla", joined=[(1, 2)]).classes[0].voxels.bit_length()
Aggregator(Path("out.mla"), (64, 64), 32, classes=3, output="softmax", step=[16, 16])

# What is not.
Case()  # misuse
Case("a.mla", labels="seg.mla")  # misuse
Case(3)  # misuse
Case("a.mla", label=image)  # misuse
Case("a.mla", extra="weights.mla")  # misuse
Case("a.mla", extra={"weight": 0.5})  # misuse
case.label = "other.mla"  # misuse
print(case.labels)  # misuse
PatchLoader("images", 8)  # misuse
PatchLoader(["a.mla", "b.mla"], 8)  # misuse
PatchLoader(case, 8)  # misuse
PatchLoader(cases)  # misuse
PatchLoader(cases, "8")  # misuse
PatchLoader(cases, 8, batchsize=2)  # misuse
PatchLoader(cases, 8, sampler="balanced")  # misuse
PatchLoader(cases, 8, sampler=Balanced)  # misuse
PatchLoader(cases, 8, normalize="stats")  # misuse
PatchLoader(cases, 8, normalize=Normalize.stats)  # misuse
PatchLoader(cases, 8, padding="wrap")  # misuse
PatchLoader(cases, 8, augment="monai")  # misuse
PatchLoader(cases, 8, seed="0")  # misuse
PatchLoader(cases, 8, joined=[1, 2])  # misuse
PatchLoader.from_folder("images", "labels", shuffle=True)  # misuse
PatchLoader.from_folder(["a.mla"], 8)  # misuse
print(loader.samples_per_epoch)  # misuse
loader.set_epoch("3")  # misuse
for batch in loader:
    print(batch.image)  # misuse
    print(batch[0])  # misuse
Uniform(border="outside")  # misuse
Uniform(weights=[1.0])  # misuse
Balanced(foreground="0.3")  # misuse
Balanced(forced="always")  # misuse
Balanced(classes="1,2")  # misuse
Grid(overlap=0.5)  # misuse
Listed([(0, 0, 0)])  # misuse
Normalize(mean="0")  # misuse
Normalize.stats(clipped=True)  # misuse
nnunet(128)  # misuse
nnunet((8, 8, 8), angle=0.5)  # misuse
nnunet((8, 8, 8), scales=[1, 2])  # misuse
Pipeline("nnunet")  # misuse
pipeline.patch = (8, 8)  # misuse
pipeline.apply(image, seeds=1)  # misuse
pipeline.apply(image, seed="1")  # misuse
LabelIndex.build("seg.mla", position=10)  # misuse
Aggregator("out.mla", 64, 32, classes=3)  # misuse
Aggregator("out.mla", (64, 64), 32)  # misuse
Aggregator("out.mla", (64, 64), 32, classes=3, output="probabilities")  # misuse
Aggregator("out.mla", (64, 64), 32, classes=3, blend="flat")  # misuse
