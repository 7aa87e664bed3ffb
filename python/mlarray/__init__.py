"""One compressed file per N-dimensional image: fast patches, standard metadata.

Nothing is imported until it is used: the command line runs without NumPy.

Examples
--------
>>> import numpy as np
>>> from mlarray import MLArray
>>> image = MLArray(np.zeros((4, 8, 8), "int16"), spacing=(3.0, 0.5, 0.5))
>>> image.shape
(4, 8, 8)
"""

from __future__ import annotations

import importlib
from typing import Any, Final

# Where each public name is. Type checkers cannot follow this: `__init__.pyi` is for them.
_NAMES: Final = {
    "_display.html": ("Page", "show"),
    "_reports": ("Damage", "VerifyReport"),
    "_settings": ("num_threads", "set_num_threads", "set_verification", "verification"),
    "array": ("MLArray",),
    "cli": ("cli_convert_to_mlarray", "cli_print_header"),
    "errors": ("MLArrayError",),
    "meta": (
        "AxisLabel",
        "CoordSystem",
        "Meta",
        "MetaBbox",
        "MetaBlosc2",
        "MetaExtra",
        "MetaHasArray",
        "MetaImageFormat",
        "MetaIsSeg",
        "MetaOriginal",
        "MetaSource",
        "MetaSpatial",
        "MetaStatistics",
        "MetaVersion",
        "is_serializable",
    ),
    "params": ("CParams", "DParams"),
    "tools.repack": ("Repacked", "repack"),
    "tools.salvage": ("SalvageReport", "SalvageState", "salvage"),
    "tools.tune": ("Choice", "Tuning", "tune"),
    "tools.verify": ("verify_file",),
}
_HOME: Final = {
    "MLARRAY_DEFAULT_PATCH_SIZE": ("_core", "DEFAULT_PATCH_SIZE"),
    "__version__": ("_core", "version"),
    **{name: (module, name) for module, names in _NAMES.items() for name in names},
}
# Modules of their own, which `import mlarray` makes reachable.
_MODULES: Final = ("cli", "convert", "errors", "orientation")

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _MODULES:  # the import puts it into this module
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _HOME[name]
    value = getattr(importlib.import_module(f".{module}", __name__), original)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
