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
    from ._core import DEFAULT_PATCH_SIZE as MLARRAY_DEFAULT_PATCH_SIZE
    from ._core import num_threads, set_num_threads, set_verification, verification
    from ._core import version as __version__
    from ._reports import Damage, VerifyReport
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
    "Repacked": ("tools.repack", "Repacked"),
    "SalvageReport": ("tools.salvage", "SalvageReport"),
    "SalvageState": ("tools.salvage", "SalvageState"),
    "num_threads": ("_core", "num_threads"),
    "repack": ("tools.repack", "repack"),
    "salvage": ("tools.salvage", "salvage"),
    "Choice": ("tools.tune", "Choice"),
    "Tuning": ("tools.tune", "Tuning"),
    "tune": ("tools.tune", "tune"),
    "set_num_threads": ("_core", "set_num_threads"),
    "set_verification": ("_core", "set_verification"),
    "VerifyReport": ("_reports", "VerifyReport"),
    "verification": ("_core", "verification"),
    "verify_file": ("tools.verify", "verify_file"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _HOME.get(name, ("meta", name))
    value = getattr(importlib.import_module(f".{module}", __name__), original)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
