"""The public names of the package, and where they are: each is imported when it is first used.

`__init__.py` hands all this to Python. Type checkers read `__init__.pyi`, which says the same
in their words.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

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

__all__ = sorted(_HOME)  # of the package


def find(name: str) -> Any:
    """What the package has by this name: its ``__getattr__``."""
    if name in _MODULES:  # the import puts it into the package
        return importlib.import_module(f".{name}", __package__)
    if name not in _HOME:
        raise AttributeError(f"module {__package__!r} has no attribute {name!r}")
    module, original = _HOME[name]
    value = getattr(importlib.import_module(f".{module}", __package__), original)
    setattr(sys.modules[__package__], name, value)
    return value


def listed() -> list[str]:
    """All names of the package: its ``__dir__``."""
    return sorted({*vars(sys.modules[__package__]), *_HOME, *_MODULES})
