"""What users of either generation write, as a script that runs on all of them.

Runs on this package, on 0.0.33 and on 0.0.54, each in an environment of its own; `run` returns
what each line gave, as plain data. A case belongs to one name of the interface and to the
generations whose spelling it uses.
"""

from __future__ import annotations

import enum
import importlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

OLDER = "0.0.33"
NEWER = "0.0.54"
TURN = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
AFFINE = [[2.0, 0.1, 0.0, -7.0], [0.0, 3.0, 0.2, 8.5], [0.0, 0.0, 4.0, 9.0], [0, 0, 0, 1.0]]
LABELS = ["channel", "spatial_y", "spatial_x"]
BOXES = [[[0, 4], [1, 5], [2, 6]], [[3, 9], [0, 2], [1, 8]]]
DATA = {"patient_id": "123", "nested": {"list": [1, 2.5, None, True]}}

# Where the cases are.
MODULES = ("cases_making", "cases_files", "cases_voxels", "cases_meta", "cases_others")
Steps = Iterator[tuple[str, Callable[[], Any]]]


class Context:
    """What a case needs of the package it runs on."""

    def __init__(self, package: ModuleType, folder: Path) -> None:
        self.package = package
        self.folder = folder
        self.MLArray = package.MLArray
        self.Meta = package.Meta

    def path(self, name: str = "a.mla") -> str:
        """The path of a file of this case."""
        return str(self.folder / name)

    def voxels(self, *shape: int, dtype: str = "i2") -> Any:
        """Some voxels."""
        return (np.arange(math.prod(shape)).reshape(shape) % 1000).astype(dtype)

    def saved(self, name: str = "a.mla", *shape: int, **how: Any) -> str:
        """The path of a file with an image in it."""
        self.MLArray(self.voxels(*(shape or (6, 7, 8))), **how).save(self.path(name))
        return self.path(name)


CASES: list[tuple[tuple[str, ...], tuple[str, ...], Callable[[Context], Steps]]] = []


def case(*names: str, only: str | None = None) -> Callable[[Any], Any]:
    """Register a function that yields steps: a label, and what to do then."""

    def register(function: Callable[[Context], Steps]) -> Callable[[Context], Steps]:
        CASES.append((names, (only,) if only else (OLDER, NEWER), function))
        return function

    return register


def run(package: ModuleType, version: str, folder: str) -> dict[str, Any]:
    """Run the cases of a generation; one entry for each step."""
    results: dict[str, Any] = {}
    before = os.getcwd()
    for names, versions, function in CASES:
        if version not in versions:
            continue
        place = Path(folder) / function.__name__
        place.mkdir(parents=True)
        os.chdir(place)
        steps = function(Context(package, place))
        while True:
            label, do = "set-up", None
            try:
                label, do = next(steps)
                result = {"value": plain(do(), place)}
            except StopIteration:
                break
            except Exception as error:
                kinds = [kind.__name__ for kind in type(error).__mro__]
                result = {"error": kinds, "text": f"{error}"[:300]}
            key = f"{names[0]}: {function.__name__}: {label}"
            assert key not in results, key
            results[key] = result
            if do is None:
                break
    os.chdir(before)
    return results


def names_exercised(version: str) -> list[str]:
    """The names of the interface that the cases of a generation are about."""
    return sorted(
        {name for names, versions, _ in CASES if version in versions for name in names}
    )


def plain(value: Any, folder: Path) -> Any:
    """`value` as JSON can say it, types of arrays and scalars included."""
    if isinstance(value, np.ndarray):
        return {
            "array": value.dtype.str,
            "shape": list(value.shape),
            "of": _items(value.tolist()),
        }
    if isinstance(value, np.generic):
        return {"scalar": value.dtype.str, "of": _items(value.item())}
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if isinstance(value, enum.Enum):
        return plain(value.value, folder)
    if isinstance(value, Mapping):
        return {str(key): plain(item, folder) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, folder) for item in value]
    if isinstance(value, (str, Path)):
        return str(value).replace(str(folder) + os.sep, "")
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else repr(value)
    if hasattr(value, "to_mapping"):
        return plain(value.to_mapping(), folder)
    return f"a {type(value).__name__}"


def _items(value: Any) -> Any:
    if isinstance(value, list):
        return [_items(item) for item in value]
    return value if isinstance(value, (bool, int, float)) else repr(value)


def assigned(owner: Any, name: str, value: Any) -> Any:
    setattr(owner, name, value)
    return getattr(owner, name)


def layout_of(c: Context, image: Any, name: str) -> Any:
    image.save(c.path(name))
    back = c.MLArray(c.path(name))
    blosc2 = getattr(back.meta, "blosc2", None) or back.meta._blosc2
    return [blosc2.chunk_size, blosc2.block_size, blosc2.patch_size, back[...]]


def main(package: ModuleType, version: str, folder: str) -> dict[str, Any]:
    """Run everything, metadata too."""
    for name in MODULES:
        importlib.import_module(name)
    return run(package, version, folder)
