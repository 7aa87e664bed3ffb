# The public names, for type checkers, which do not follow `__init__.py`. A test compares them.

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
