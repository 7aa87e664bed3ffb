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

from ._exports import __all__ as __all__
from ._exports import find as __getattr__  # noqa: F401
from ._exports import listed as __dir__  # noqa: F401
