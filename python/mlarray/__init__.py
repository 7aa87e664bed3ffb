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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import cli as cli
    from . import convert as convert
    from . import errors as errors
    from . import orientation as orientation
    from ._core import DEFAULT_PATCH_SIZE as MLARRAY_DEFAULT_PATCH_SIZE
    from ._core import version as __version__
    from ._display.html import Page, show
    from ._reports import Damage, VerifyReport
    from ._settings import num_threads, set_num_threads, set_verification, verification
    from .array import MLArray
    from .cli import cli_convert_to_mlarray, cli_print_header
    from .errors import MLArrayError
    from .meta import (
        AxisLabel,
        CoordSystem,
        Meta,
        MetaBbox,
        MetaBlosc2,
        MetaExtra,
        MetaHasArray,
        MetaImageFormat,
        MetaIsSeg,
        MetaOriginal,
        MetaSource,
        MetaSpatial,
        MetaStatistics,
        MetaVersion,
        is_serializable,
    )
    from .params import CParams, DParams
    from .tools.repack import Repacked, repack
    from .tools.salvage import SalvageReport, SalvageState, salvage
    from .tools.tune import Choice, Tuning, tune
    from .tools.verify import verify_file

__all__ = [
    "MLARRAY_DEFAULT_PATCH_SIZE",
    "AxisLabel",
    "CParams",
    "Choice",
    "CoordSystem",
    "DParams",
    "Damage",
    "MLArray",
    "MLArrayError",
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
    "Page",
    "Repacked",
    "SalvageReport",
    "SalvageState",
    "Tuning",
    "VerifyReport",
    "__version__",
    "cli_convert_to_mlarray",
    "cli_print_header",
    "is_serializable",
    "num_threads",
    "repack",
    "salvage",
    "set_num_threads",
    "set_verification",
    "show",
    "tune",
    "verification",
    "verify_file",
]

# Where a name is, and what it is called there; all others are in `meta`.
_HOME = {
    "CParams": ("params", "CParams"),
    "DParams": ("params", "DParams"),
    "Damage": ("_reports", "Damage"),
    "MLARRAY_DEFAULT_PATCH_SIZE": ("_core", "DEFAULT_PATCH_SIZE"),
    "MLArray": ("array", "MLArray"),
    "MLArrayError": ("errors", "MLArrayError"),
    "__version__": ("_core", "version"),
    "cli_convert_to_mlarray": ("cli", "cli_convert_to_mlarray"),
    "cli_print_header": ("cli", "cli_print_header"),
    "Page": ("_display.html", "Page"),
    "show": ("_display.html", "show"),
    "Repacked": ("tools.repack", "Repacked"),
    "SalvageReport": ("tools.salvage", "SalvageReport"),
    "SalvageState": ("tools.salvage", "SalvageState"),
    "num_threads": ("_settings", "num_threads"),
    "repack": ("tools.repack", "repack"),
    "salvage": ("tools.salvage", "salvage"),
    "Choice": ("tools.tune", "Choice"),
    "Tuning": ("tools.tune", "Tuning"),
    "tune": ("tools.tune", "tune"),
    "set_num_threads": ("_settings", "set_num_threads"),
    "set_verification": ("_settings", "set_verification"),
    "VerifyReport": ("_reports", "VerifyReport"),
    "verification": ("_settings", "verification"),
    "verify_file": ("tools.verify", "verify_file"),
}


# Modules of their own, which `import mlarray` makes reachable.
_MODULES = ("cli", "convert", "errors", "orientation")


def __getattr__(name: str) -> Any:
    if name in _MODULES:  # the import puts it into this module
        return importlib.import_module(f".{name}", __name__)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _HOME.get(name, ("meta", name))
    value = getattr(importlib.import_module(f".{module}", __name__), original)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
