"""The names of the interface, as the package has them that this runs on."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np

SPECIAL = ("__array__", "__getitem__", "__setitem__", "__iter__", "__len__", "__bool__")
SPECIAL += ("__contains__", "_spatial_ndim")
MODULES = ("mlarray", "meta", "cli", "blosc2_layout_strategies")
# Members of their own; all other sections are classes of fields.
WITH_MEMBERS = ("MLArray", "Meta", "MetaSpatial", "BaseMeta", "SingleKeyBaseMeta")


def names() -> dict[str, list[str]]:
    """What there is: parameters by name; none for what is no function."""
    package = importlib.import_module("mlarray")
    found: dict[str, list[str]] = {"__version__": []}
    for name in dir(package):
        if not name.startswith("_") and not inspect.ismodule(getattr(package, name)):
            found[name] = _parameters(getattr(package, name))
    for short in MODULES:
        try:
            module = importlib.import_module(f"mlarray.{short}")
        except ImportError:
            continue
        for name, value in vars(module).items():
            if _belongs(module, name, value) and name not in found:
                found[f"{short}.{name}"] = _parameters(value)
    classes = {**vars(importlib.import_module("mlarray.meta")), "MLArray": package.MLArray}
    for name in WITH_MEMBERS:
        for member, value in _members(classes[name], classes["BaseMeta"]):
            found[f"{name}.{member}"] = _parameters(value)
    for name in ("BaseMeta", "SingleKeyBaseMeta"):
        found[name] = []
        found.pop(f"meta.{name}", None)
    return found


def _belongs(module: Any, name: str, value: Any) -> bool:
    if name.startswith("_") or inspect.ismodule(value):
        return False
    if inspect.isclass(value) or inspect.isfunction(value):
        homes = (module.__name__, "mlarray._compat")
        return value.__module__.startswith(homes) or (
            value.__module__.startswith("mlarray") and value.__name__ != name
        )
    return name.isupper() and isinstance(value, (str, int))


def _members(owner: type, base: type) -> list[tuple[str, Any]]:
    members = [name for name in dir(owner) if not name.startswith("_") or name in SPECIAL]
    if owner.__name__ == "MLArray":  # attributes of instances, too
        own = getattr(owner(np.zeros((2, 2))), "__dict__", {})
        members += [name for name in own if not name.startswith("_")]
    if issubclass(owner, base) and owner is not base:
        members = [name for name in members if not hasattr(base, name)]
    values = (
        (name, inspect.getattr_static(owner, name, None)) for name in sorted(set(members))
    )
    return [
        (name, value.__func__ if isinstance(value, (classmethod, staticmethod)) else value)
        for name, value in values
    ]


def _parameters(value: Any) -> list[str]:
    if not inspect.isfunction(value) and not inspect.isclass(value):
        return []
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        "*" if one.kind in variable else one.name
        for one in parameters
        if one.name not in ("self", "cls")
    ]
