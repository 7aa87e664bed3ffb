"""The tasks that are no plain turns: imports, memory, filling, growth, and the limit."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import machine
from .driver import Cell, Skipped, Worker
from .session import Bench, remove
from .volumes import make_volumes, shape_of

__all__ = ["fill", "growth", "imports", "levels", "limit", "memory", "statistics"]

_ROOT = Path(__file__).resolve().parents[2]
_MLARRAY = ("mlarray", "reference")
_IMPORTS = {
    "mlarray": "from mlarray import MLArray",
    "reference": "from mlarray import MLArray",
    "blosc2": "import blosc2",
    "zarr": "import zarr",
    "tensorstore": "import tensorstore",
    "h5py": "import h5py, hdf5plugin",
    "medh5": "import medh5",
    "nibabel": "import nibabel",
}


def imports(bench: Bench) -> None:
    """The import in a fresh process, after that of NumPy."""

    def sampler(name: str) -> Callable[[int], float]:
        python = bench.rivals[name].python
        program = (
            f"import numpy, time; t = time.perf_counter(); {_IMPORTS[name]}; "
            f"print(time.perf_counter() - t)"
        )

        def sample(_: int) -> float:
            done = subprocess.run(
                [python, "-I", "-c", program], capture_output=True, text=True, check=True
            )
            return float(done.stdout)

        return sample

    samplers = {name: sampler(name) for name in _IMPORTS if name in bench.rivals}
    bench.measure("import", "-", {}, samplers, budget=10)


def memory(bench: Bench) -> None:
    """Memory of its own that a process takes: reading patches, and saving a mapped array."""
    if not machine.AnonymousPeak.available():
        return bench.skip("memory: this system does not say how much a process has of its own")
    kind = "float32" if "float32" in bench.volumes else next(iter(bench.volumes))
    patch = 128
    asked = {"box": [[20, 20 + patch]] * 3, "for": 1.0}
    found = {}
    for name in _patch_readers(bench):
        try:
            path = bench.file(name, kind)
            size = bench.worker(name).ask("patch", path=path, check=True, **asked)["bytes"]
            found[name] = [_peak(bench, name, "peak", path=path, **asked) - size]
        except (Skipped, NotImplementedError) as why:
            bench.skip(f"memory of a patch: {why}")
    bench.forget()
    bench.add(Cell("memory", kind, {"of": "reading a patch", "patch": patch}, "B", found))
    for megabytes in (64, 256):
        volumes, _ = make_volumes(bench.folder, shape_of(megabytes), ("int16",))
        found = {}
        for name in _MLARRAY:
            if name in bench.rivals:
                out = bench.folder / f"memory-{name}.mla"
                words = {"path": out, "source": volumes["int16"], "mapped": True}
                found[name] = [_peak(bench, name, "save", **words)]
                remove(out)
        bench.add(Cell("memory", "int16", {"of": "a save", "MB": megabytes}, "B", found))


def statistics(bench: Bench) -> None:
    """Statistics of a whole file: ours over its chunks, the reference's loaded, by NumPy."""
    names = [name for name in _MLARRAY if name in bench.rivals]
    for kind in bench.volumes:
        words = {name: {"path": bench.file(name, kind)} for name in names}
        found = [
            bench.worker(name).ask("statistics", **words[name])["values"] for name in names
        ]
        if not all(_alike(found[0], other) for other in found):
            raise SystemExit(f"statistics of {kind} differ: {found}")
        samplers = {
            name: _asker(bench.worker(name), "statistics", words[name]) for name in names
        }
        bench.measure("statistics", kind, {}, samplers, rounds=min(bench.rounds, 9), budget=20)
        bench.forget()
        if machine.AnonymousPeak.available():
            peaks = {name: [_peak(bench, name, "statistics", **words[name])] for name in names}
            bench.add(Cell("memory", kind, {"of": "statistics"}, "B", peaks))


def _alike(a: list[float], b: list[float]) -> bool:
    """As alike as float32 allows, in which NumPy has the quantiles of float32."""
    return all(abs(x - y) <= 1e-6 * max(abs(x), 1e-3) for x, y in zip(a, b))


def _peak(bench: Bench, name: str, task: str, **words: Any) -> float:
    """What a new process takes at most for a task, beyond what it had after its imports."""
    worker = Worker(bench.rivals[name], machine.cores())
    try:
        worker.ask("version")
        with machine.AnonymousPeak(worker.process.pid) as seen:
            worker.ask(task, **words)
        return float(seen.peak - seen.first)
    finally:
        worker.end()


def _patch_readers(bench: Bench) -> list[str]:
    return [name for name in bench.rivals if name not in ("nibabel", "memmap")]


def fill(bench: Bench) -> None:
    """Chunk by chunk into a new file: 32^3 chunks of 1024^3 uint8, then many small ones."""
    _fill(bench, "1024^3 uint8", (1024,) * 3, 32, 1000 if bench.rounds > 3 else 50, 2)
    counts = [n for n in (10, 22, 46, 100) if n**3 <= bench.most_chunks]
    for n in counts:
        _fill(bench, f"{n**3} chunks", (8 * n,) * 3, 8, n**3, 1)


def _fill(
    bench: Bench, volume: str, shape: tuple[int, ...], chunk: int, count: int, parts: int
) -> None:
    """Seconds per chunk, the last commit among them."""
    found: dict[str, list[float]] = {}
    names = [n for n in bench.rivals if n not in ("mlarray-unchecked", "mlarray-small")]
    if count > 5000:  # to see how the cost grows; others would take minutes
        names = [name for name in names if name in _MLARRAY[: 2 if count < 20000 else 1]]
    asked = {"shape": shape, "dtype": "uint8", "chunk": chunk}
    for name in names:
        worker = bench.worker(name)
        path = bench.folder / f"fill-{name}{bench.suffix(name)}"
        try:
            worker.ask("create", path=path, **asked)
            first, end = 0, time.monotonic() + (300 if name == _MLARRAY[0] else 10)
            samples = []
            for stop in [*range(count // 10, count, count // 10)[:9], count]:
                took = worker.ask("fill", first=first, stop=stop, **asked)["seconds"]
                samples.append(took / (stop - first))
                first = stop
                if time.monotonic() > end:
                    bench.skip(
                        f"fill, {volume}: {name} was stopped after {first} of {count} chunks"
                    )
                    break
            took = worker.ask("finish")["seconds"]
            if first == count:
                samples.append(sum(samples) / len(samples) + took / count)
                found[name] = samples[-1:] if parts == 1 else samples
        except NotImplementedError:
            continue
        except Skipped as why:
            bench.skip(f"fill, {volume}: {why}")
        finally:
            remove(path)
    bench.add(Cell("fill", volume, {"chunk": chunk, "chunks": count}, "s", found))


def growth(bench: Bench) -> None:
    """Save, patch and load of int16 volumes that grow: 64 MB, times four each."""
    size = 64
    while size <= bench.most_megabytes:
        volumes, _ = make_volumes(bench.folder, shape_of(size), ("int16",))
        names = [name for name in _MLARRAY if name in bench.rivals]
        box = [[40, 168]] * 3
        tasks: dict[str, dict[str, Any]] = {
            "save": {},
            "patch": {"box": box},
            "open": {"box": box},
            "load": {},
        }
        for task, words in tasks.items():
            samplers = {}
            for name in names:
                path = bench.folder / f"growth-{name}.mla"
                asked = {"path": path, "source": volumes["int16"], "mapped": True, **words}

                samplers[name] = _asker(bench.worker(name), task, asked)
            rounds = 3 if task in ("save", "load") else bench.rounds
            detail = {"of": task, "MB": size}
            bench.measure("growth", "int16", detail, samplers, rounds=rounds, budget=5)
        bench.forget()
        for name in names:
            remove(bench.folder / f"growth-{name}.mla")
        if size > 256:
            remove(volumes["int16"])
        size *= 4


def _asker(worker: Worker, task: str, asked: dict[str, Any]) -> Callable[[int], float]:
    return lambda _: float(worker.ask(task, **asked)["seconds"])


def levels(bench: Bench) -> None:
    """What the levels of a commit cost, beside fdatasync of as many bytes."""
    if "mlarray" not in bench.rivals:
        return bench.skip("levels: without mlarray there are none")
    worker, out = bench.worker("mlarray"), bench.folder / "levels.mla"
    for kind, source in bench.volumes.items():
        for what, side in (("save", 0), ("edit", 64)):
            words: dict[str, Any] = {"what": what, "path": out, "source": source, "side": side}
            written = 0
            try:
                for _ in range(2):  # an edit is measured by what the second one appends
                    before = out.stat().st_size if side and out.exists() else 0
                    worker.ask("at_level", level="none", round=1, **words)
                    written = out.stat().st_size - before
            except NotImplementedError:
                return bench.skip("levels: this version of mlarray has none")

            def at(level: str, words: dict[str, Any] = words) -> Callable[[int], float]:
                return lambda i: float(
                    worker.ask("at_level", level=level, round=i, **words)["seconds"]
                )

            samplers = {level: at(level) for level in ("none", "ordered", "durable")}
            raw = {"path": bench.folder / "levels.bytes", "bytes": max(written, 1)}
            samplers["fdatasync"] = _asker(worker, "sync", raw)
            detail = {"of": what, "MB": round(written / 1e6, 2)}
            bench.measure("levels", kind, detail, samplers, rounds=min(bench.rounds, 9))
        remove(out)


def limit(bench: Bench) -> None:
    """A patch, the same blocks decoded into cache, as many bytes copied: by a C++ program."""
    program = bench.limit_program
    if program is None or "mlarray" not in bench.rivals:
        return bench.skip("limit: its C++ program is not built (make bench builds it)")
    for kind in bench.volumes:
        for threads in sorted({1, machine.cores()}):
            path = bench.file("mlarray", kind)
            done = subprocess.run(
                [program, str(path), "128", str(threads), str(4 * bench.rounds)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                bench.skip(f"limit, {kind}: {done.stderr.strip()}")
                continue
            bench.add(
                Cell(
                    "limit",
                    kind,
                    {"patch": 128, "threads": threads},
                    "s",
                    json.loads(done.stdout),
                )
            )
