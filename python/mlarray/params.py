"""Parameters of compression and decompression as small types.

Wherever `cparams` and `dparams` are taken, a dict with the same keys will do, and so will the
types of that name of the package ``blosc2``, which is not needed for any of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CParams", "DParams"]


@dataclass(frozen=True)
class CParams:
    """How voxels are compressed; what is None is chosen by dtype.

    Parameters
    ----------
    codec : {'lz4', 'lz4hc', 'zstd', 'zlib', 'blosclz'}, optional
        Or its number in Blosc2.
    clevel : int, optional
        0 (stored) to 9.
    filters, filters_meta : sequence, optional
        Up to six, first to last: 'shuffle', 'bitshuffle', 'bytedelta', ... or their numbers,
        and a number for each.
    splitmode : {'always_split', 'never_split', 'auto_split', 'forward_compat_split'}, optional
        Whether the bytes of a block are compressed in streams of their own.
    nthreads : int, optional
        At most so many threads.

    Examples
    --------
    >>> import numpy as np
    >>> from mlarray import CParams, MLArray
    >>> image = MLArray(np.zeros((64, 64), "int16"), cparams=CParams("zstd", clevel=9))
    """

    codec: str | int | None = None
    clevel: int | None = None
    filters: Sequence[str | int] | None = None
    filters_meta: Sequence[int] | None = None
    splitmode: str | int | None = None
    nthreads: int | None = None


@dataclass(frozen=True)
class DParams:
    """How voxels are decompressed.

    Parameters
    ----------
    nthreads : int, optional
        At most so many threads per call; None: as `set_num_threads` says.

    Examples
    --------
    >>> from mlarray import DParams, MLArray
    >>> image = MLArray.open("image.mla", dparams=DParams(nthreads=2))
    """

    nthreads: int | None = None
