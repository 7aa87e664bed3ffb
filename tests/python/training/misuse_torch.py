"""Uses of `mlarray.torch` that type checkers must refuse: one error in each marked line.

Never run, as ``meta/misuse.py``; lines without a mark are right. They say the same with and
without PyTorch.
"""

from __future__ import annotations

from mlarray.torch import PatchDataset, PatchLoader, sliding_window
from mlarray.training import Balanced, Case, Normalize

cases = [Case("a.mla", "seg.mla")]

# What is right.
loader = PatchLoader(cases, (8, 8, 8), 2, device="cuda", sampler=Balanced(), seed=0)
PatchLoader.from_folder("images", "labels", 8, device=None, normalize=Normalize.stats())
dataset = PatchDataset(cases, 8, batch_size=2, sampler=Balanced(), augment="nnunet")
samples: int = len(dataset)
sliding_window(print, "a.mla", 8, out="b.mla", output="softmax", normalize=Normalize.stats())
dataset.set_epoch(1)
loader.set_epoch(1)

# What is not.
PatchLoader("images", 8)  # misuse
sliding_window(print, "a.mla", 8, out="b.mla", normalize="stats")  # misuse
PatchLoader(["a.mla"], 8)  # misuse
PatchLoader(cases)  # misuse
PatchLoader(cases, "8")  # misuse
PatchLoader(cases, 8, num_workers=2)  # misuse
PatchLoader(cases, 8, sampler="balanced")  # misuse
PatchLoader(cases, 8, padding="wrap")  # misuse
PatchLoader(cases, 8, augment="monai")  # misuse
PatchLoader.from_folder("images", "labels", 8, shuffle=True)  # misuse
PatchLoader.from_folder(cases)  # misuse
loader.set_epoch("3")  # misuse
PatchDataset(cases[0], 8)  # misuse
PatchDataset(cases, 8, device="cuda")  # misuse
PatchDataset(cases, 8, sampler=Balanced)  # misuse
dataset.set_epoch(None)  # misuse
sliding_window()  # misuse
sliding_window(print, "a.mla", 8)  # misuse
sliding_window(print, "a.mla", "8", out="b.mla")  # misuse
sliding_window(print, "a.mla", 8, out="b.mla", normalize="zscore")  # misuse
sliding_window(print, "a.mla", 8, out="b.mla", output="probabilities")  # misuse
sliding_window(print, "a.mla", 8, out="b.mla", outputs="argmax")  # misuse
