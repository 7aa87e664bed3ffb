"""The module in which other versions have `MLArray`; the class itself is in `mlarray.array`."""

from ._compat.names import MLARRAY_SUFFIX as MLARRAY_SUFFIX
from ._compat.names import MLARRAY_VERSION as MLARRAY_VERSION
from ._core import DEFAULT_PATCH_SIZE as MLARRAY_DEFAULT_PATCH_SIZE  # noqa: F401
from .array import MLArray as MLArray
from .meta import AxisLabel as AxisLabel
from .meta import Meta as Meta
from .meta import MetaBlosc2 as MetaBlosc2
from .meta import is_serializable as is_serializable
