"""Two processes of torch.distributed: equal steps, nothing twice, nothing left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mlarray.torch import PatchLoader
from mlarray.training import Balanced, Case

WORLD = 2
PROGRAM = """
import json, sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from mlarray.torch import PatchLoader
from mlarray.training import Balanced, Case, Normalize

rank, world, store, cases, drop_last = json.loads(sys.argv[1])
dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=world)
torch.manual_seed(0)
model = DistributedDataParallel(torch.nn.Conv3d(1, 3, 1))
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
loader = PatchLoader(
    [Case(*case) for case in cases], 8, 3, sampler=Balanced(0.33, forced="last"),
    samples_per_epoch=40, seed=4, drop_last=drop_last, normalize=Normalize(0, 300),
)
found = []
for epoch in range(2):
    for batch in loader:
        optimizer.zero_grad()
        label = batch["label"][:, 0].long()
        loss = torch.nn.functional.cross_entropy(model(batch["image"]), label)
        loss.backward()
        optimizer.step()
        found.append([epoch, *(batch[key].tolist() for key in ("index", "class", "box"))])
weights = torch.cat([p.detach().ravel() for p in model.parameters()]).tolist()
print(json.dumps([len(loader), found, weights]))
loader.close()
dist.destroy_process_group()
"""


@pytest.mark.parametrize("drop_last", [True, False])
def test_two_processes(cases: list[Case], tmp_path: Path, drop_last: bool) -> None:
    files = [[str(case.image), str(case.label)] for case in cases]
    processes = []
    for rank in range(WORLD):
        task = json.dumps([rank, WORLD, str(tmp_path / "store"), files, drop_last])
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, task],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    answers: list[Any] = []
    for process in processes:
        out, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        answers.append(json.loads(out))
    steps = {answer[0] for answer in answers}
    assert steps == {6 if drop_last else 7}
    assert answers[0][2] == answers[1][2]  # the ranks have trained together
    with PatchLoader(
        cases,
        8,
        3,
        sampler=Balanced(0.33, forced="last"),
        samples_per_epoch=40,
        seed=4,
        drop_last=False,
    ) as alone:
        whole = [
            [epoch, b["index"].tolist(), b["class"].tolist(), b["box"].tolist()]
            for epoch in range(2)
            for b in alone
        ]
    for rank, (count, found, _) in enumerate(answers):
        assert len(found) == 2 * count
        for number, batch in enumerate(found):
            place = number % count * WORLD + rank
            if place < 13:  # batches that are whole
                assert (batch[2][:2], batch[2][2] >= 0) == ([-1, -1], True)  # forced foreground
                assert batch == whole[number // count * len(alone_batches(whole)) + place]
    indices = sorted(
        i for a in answers for epoch, index, *_ in a[1] if epoch == 0 for i in index
    )
    if drop_last:
        assert indices == list(range(36))
    else:
        assert set(indices) == set(range(40))
        assert len(indices) == 42


def alone_batches(whole: list[Any]) -> list[Any]:
    """Those of the first epoch."""
    return [batch for batch in whole if batch[0] == 0]


def test_ranks_can_be_given(cases: list[Case]) -> None:
    assert not torch.distributed.is_initialized()
    with PatchLoader(cases, 8, samples_per_epoch=8, rank=1, world_size=2) as loader:
        assert [batch["index"].tolist() for batch in loader] == [[2, 3], [6, 7]]
