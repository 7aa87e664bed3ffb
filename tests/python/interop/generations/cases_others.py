"""The cases of functions and constants; see cases.py."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
from cases import DATA, NEWER, Context, Steps, case


@case("is_serializable")
def serializable(c: Context) -> Steps:
    for name, value in {
        "dict": DATA,
        "set": {1},
        "bytes": {"a": b"x"},
        "tuple": {"a": (1, 2)},
        "nan": {"a": float("nan")},
        "an object": {"a": object()},
        "keys": {1: 2, None: 3},
    }.items():
        yield name, lambda value=value: c.package.is_serializable(value)
    yield "array", lambda: c.package.is_serializable({"a": np.arange(3)})


@case(
    "MLARRAY_DEFAULT_PATCH_SIZE",
    "__version__",
    "mlarray.MLARRAY_SUFFIX",
    "mlarray.MLARRAY_VERSION",
)
def constants(c: Context) -> Steps:
    import mlarray.mlarray as module

    yield (
        "patch",
        lambda: [c.package.MLARRAY_DEFAULT_PATCH_SIZE, module.MLARRAY_DEFAULT_PATCH_SIZE],
    )
    yield "suffix", lambda: module.MLARRAY_SUFFIX
    yield "version", lambda: module.MLARRAY_VERSION
    yield "the class", lambda: module.MLArray is c.MLArray
    yield "the package's version is text", lambda: isinstance(c.package.__version__, str)


@case("cli_print_header", "cli.print_header")
def header(c: Context) -> Steps:
    import mlarray.cli as cli

    path = c.saved(spacing=(1, 2, 3), meta=DATA)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        cli.print_header(path)
    found = json.loads(printed.getvalue())
    for section in ("extra", "spatial", "stats", "is_seg", "_has_array"):
        yield section, lambda section=section: found[section]
    yield "source", lambda: found.get("source") or found.get("original")
    yield "sections", lambda: sorted(found)
    yield "no such file", lambda: cli.print_header(c.path("none.mla"))
    for name in ("cli_print_header", "cli_convert_to_mlarray"):
        yield name, lambda name=name: callable(getattr(c.package, name))


@case("cli.convert_to_mlarray", "cli_convert_to_mlarray")
def converting(c: Context) -> Steps:
    import mlarray.cli as cli

    yield "exists", lambda: callable(cli.convert_to_mlarray)


@case("cli.convert_image", "cli.convert_from_mlarray", only=NEWER)
def converting_newer(c: Context) -> Steps:
    import mlarray.cli as cli

    for name in ("convert_image", "convert_from_mlarray"):
        yield name, lambda name=name: callable(getattr(cli, name))
