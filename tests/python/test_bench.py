"""The benchmark harness: that it runs, and that its arithmetic and its verdicts are right."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import train  # noqa: E402
from harness import machine, report  # noqa: E402
from harness.driver import Cell, Skipped, in_turns, ratio, spread  # noqa: E402
from harness.plots import bars, lines, save, targets  # noqa: E402
from harness.targets import judge  # noqa: E402
from harness.volumes import make_volumes  # noqa: E402
from train_nnunet_loaders import scales  # noqa: E402
from train_worker import shared  # noqa: E402


@pytest.mark.slow
def test_a_whole_run_of_tiny_volumes(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "bench.py"), "--output", str(tmp_path)]
    command += ["--shape", "130", "132", "134", "--rounds", "2", "--volumes", "int16"]
    command += ["--rivals", "mlarray,mlarray-unchecked,mlarray-small,reference,blosc2"]
    command += ["--max-mb", "16", "--max-chunks", "1000"]
    command += ["--only", "import,save,open,patch,slices,limit,cold,load,statistics,fill"]
    command[-1] += ",edit,levels"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "results.json").read_text())
    measured = {cell["task"] for cell in result["cells"]}
    # Of a file that cannot leave the page cache, "cold" is skipped with a reason.
    assert measured | {"cold"} == {
        *("import", "save", "size", "open", "patch", "load", "fill", "edit", "cold"),
        *("files", "slices", "statistics", "memory", "levels"),
    }
    for cell in result["cells"]:
        known = (
            {"none", "ordered", "durable", "fdatasync"}
            if cell["task"] == "levels"
            else {"mlarray", "reference"}
        )
        assert known & set(cell["samples"]), cell
    text = (tmp_path / "report.md").read_text()
    assert "| patch 128^3, 1 thread, int16 | >= 1x |" in text
    assert "limit: its C++ program is not built" in text
    assert "patches of (192, 192, 192): the volume has (130, 132, 134)" in text
    for plot in tmp_path.glob("*.svg"):
        ET.parse(plot)
        assert f"]({plot.name})" in text
    assert (tmp_path / "targets.svg").exists()
    left = sorted(path.name for path in (tmp_path / "work").iterdir())
    assert left == ["130x132x134.json", "int16-130x132x134.npy"]


def cell(
    task: str,
    samples: dict[str, list[float]],
    volume: str = "int16",
    unit: str = "s",
    **detail: object,
) -> Cell:
    return Cell(task, volume, detail, unit, samples)


def test_ratios_are_medians_of_single_rounds() -> None:
    one = cell("load", {"mlarray": [1.0, 1.0, 2.0, 1.0], "reference": [3.0, 4.0, 4.0, 5.0]})
    assert ratio(one, "reference") == 3.5
    assert spread(one, "reference") == (2.75, 4.25)
    assert ratio(one, "zarr") is None
    assert spread(cell("load", {"mlarray": [1.0], "reference": [1.0]}), "reference") is None


def test_ratios_of_loaders_are_medians_of_single_rounds_too() -> None:
    rates = {"mlarray": [9.0, 20.0, 40.0], "reference, 0 workers": [3.0, 4.0, 4.0]}
    plain = [
        {"rate": rate, "samples": 4, "processor_seconds": 1.0, "voxels_read": 1.0}
        for rate in (10.0, 30.0, 40.0)
    ]
    result = {
        "machine": {},
        "load": 0.0,
        "seconds": 1.0,
        "rates": {"128": rates},
        "many": [],
        "nnunet": {
            "with its transforms": {
                "shape": ((128, 128, 128), 2, 1),
                "trials": {1: 2.0},
                "rounds": {"nnU-Net's": [{**one, "rate": 2.0} for one in plain], "ours": plain},
            }
        },
        "nnunet_shapes": {
            "with its transforms (2d)": {
                "shape": ((512, 512), 12, 4),
                "trials": {1: 2.0},
                "rounds": {"nnU-Net's": plain, "ours": plain},
            }
        },
        "skipped": [],
    }
    text = "\n".join(train.report(result))
    assert "reference, 0 workers | 4.0 | 3.0, 4.0 | 5.0 (4.0 - 7.5)" in text
    assert "The reference's best: 5.0 (4.0 - 7.5) times as fast (target 5: met)." in text
    assert "| ours | 30.0 | 10.0, 40.0 | 15.0 (10.0 - 17.5) |" in text
    assert "Target in place 8 times: 15.0, met." in text
    assert "transforms (2d), 4 channels of 512 x 512, batches of 12" in text


def test_stages_halve_long_axes_first() -> None:
    assert scales((128, 128, 128)) == [[0.5**stage] * 3 for stage in range(5)]
    assert scales((20, 320, 320))[:3] == [[1, 1, 1], [1, 0.5, 0.5], [1, 0.25, 0.25]]
    assert scales((64, 320))[3:] == [[0.5, 0.125], [0.25, 0.0625]]


def test_a_batch_has_what_all_samples_have() -> None:
    one = {"image": 1, "patch": {"class_id": 3, "start": 4, "none": None}}
    other = {"image": 2, "patch": {"start": 5, "none": None}}
    assert shared([one, other]) == [
        {"image": 1, "patch": {"start": 4}},
        {"image": 2, "patch": {"start": 5}},
    ]


def test_turns_begin_with_another_library_each_round() -> None:
    order: list[tuple[int, str]] = []

    def sampler(name: str) -> object:
        return lambda i: order.append((i, name)) or float(i)

    samples, skipped = in_turns({n: sampler(n) for n in "abc"}, 3)  # type: ignore[misc]
    assert "".join(name for _, name in order) == "abcbcacab"
    assert samples == {n: [0.0, 1.0, 2.0] for n in "abc"}
    assert skipped == []


def test_a_library_that_cannot_or_fails_is_left_out() -> None:
    def cannot(_: int) -> float:
        raise NotImplementedError

    def fails(_: int) -> float:
        raise Skipped("broken")

    samples, skipped = in_turns({"a": lambda i: 1.0, "b": cannot, "c": fails}, 4)
    assert samples == {"a": [1.0] * 4}
    assert skipped == ["broken"]


def test_verdicts() -> None:
    fast = {"mlarray": [1.0] * 3, "reference": [2.0] * 3}
    slow = {"mlarray": [1.0] * 3, "reference": [1.5] * 3}
    where = {"patch": 128, "file": "reference"}
    rows = judge(
        [
            cell("patch", fast, threads=2, **where),
            cell("patch", slow, "float32", threads=2, **where),
            cell("import", {"mlarray": [0.020]}, "-"),
            cell("memory", {"mlarray": [3e6]}, unit="B", of="reading a patch"),
            cell("size", {"mlarray": [99.0], "reference": [100.0]}, unit="B"),
            cell("limit", {"read": [1.0], "decode": [0.9], "copy": [0.5]}, threads=1),
            cell("fill", {"mlarray": [1e-5]}, chunk=8, chunks=1000),
            cell("fill", {"mlarray": [2e-5]}, chunk=8, chunks=10000),
        ],
        cores=2,
    )
    assert rows[0].measured == "2.00x (2.00 - 2.00), least times 2.00x"
    verdicts = {row.work: row.met for row in rows}
    assert verdicts == {
        "patch 128^3, 2 threads, int16": True,
        "patch 128^3, 2 threads, float32": False,
        "import after NumPy": False,
        "memory of reading a patch": True,
        "size of the file, int16": True,
        "patch 128^3 against decoding alone, 1 thread, int16": True,
        "cost of a chunk, of 10000 against 1000": False,
    }


def test_the_volumes_are_those_of_the_recipe(tmp_path: Path) -> None:
    import numpy as np

    paths, _ = make_volumes(tmp_path, (40, 44, 48))
    ct, scaled, labels = (np.load(paths[kind]) for kind in ("int16", "float32", "uint8"))
    assert {volume.shape for volume in (ct, scaled, labels)} == {(40, 44, 48)}
    assert ct.min() < -900
    assert ct.max() > 300
    assert abs(float(scaled.mean())) < 1e-3
    assert abs(float(scaled.std()) - 1) < 1e-3
    air = labels == 0
    assert 0.05 < air.mean() < 0.95
    assert abs(float(ct[air].mean()) + 1000) < 30
    first = ct.copy()
    (tmp_path / "40x44x48.json").unlink()
    make_volumes(tmp_path, (40, 44, 48))
    assert np.array_equal(np.load(paths["int16"]), first)


def test_the_peak_of_memory_is_seen() -> None:
    if not machine.AnonymousPeak.available():
        pytest.skip("this system does not say how much memory a process has of its own")
    program = "print('ready', flush=True); input(); a = bytearray(60_000_000); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdout.readline()
    with machine.AnonymousPeak(child.pid) as seen:
        child.stdin.write("\n")
        child.stdin.flush()
        while seen.peak - seen.first < 50_000_000:
            pass
    child.communicate("\n")
    assert seen.peak - seen.first < 120_000_000


def test_plots_are_drawings(tmp_path: Path) -> None:
    plots = (
        bars("a & b", {"int16": {"mlarray": 1.0, "<x>": 20.0}}, "ms"),
        lines("t", {"mlarray": [(1, 2), (2, 4)], "b": [(1, 1), (2, 1)]}, "x", "y"),
        targets("t", [("work", 1.5, True), ("other", 0.2, False)]),
    )
    for plot, seen in zip(plots, ({"mlarray", "<x>"}, {"mlarray", "b"}, {"work", "1.50"})):
        save(plot, tmp_path / "plot.svg")
        root = ET.parse(tmp_path / "plot.svg").getroot()
        assert root.tag.endswith("svg")
        assert seen <= {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}


def test_the_report_models_more_threads(tmp_path: Path) -> None:
    def patches(threads: int, seconds: float) -> Cell:
        samples = {"mlarray": [seconds, 9.0], "reference": [2.0, 2.0]}
        return cell("patch", samples, patch=128, threads=threads, file="own")

    result = {
        "machine": {"cores": "2"},
        "versions": {},
        "source": "s",
        "shape": "1 x 2",
        "cells": [c._asdict() for c in (patches(1, 1.0), patches(2, 0.6))],
        "skipped": [],
    }
    text = report.write(result, tmp_path).read_text()
    # 80 % of the time is parallel: 1 / (0.2 + 0.8 / 4) = 2.5.
    assert "| int16 | mlarray | 2 | 1.67x | 2.5x | 3.3x | 4.0x |" in text
    assert "| int16 | reference | 2 | 1.00x | 1.0x | 1.0x | 1.0x |" in text


def test_a_report_is_written_again_from_its_results(tmp_path: Path) -> None:
    cells = [cell("save", {"mlarray": [1.0, 1.1], "reference": [4.0, 5.0]})]
    result = {
        "machine": {"cores": "2"},
        "versions": {"mlarray": "1"},
        "source": "s",
        "shape": "1 x 2",
        "cells": [c._asdict() for c in cells],
        "skipped": ["zarr: none"],
    }
    text = report.write(result, tmp_path).read_text()
    assert "| array to file, int16 | >= 4x | 4.27x | met |" in text
    assert "- zarr: none" in text
    assert report.read(tmp_path / "results.json") == cells
