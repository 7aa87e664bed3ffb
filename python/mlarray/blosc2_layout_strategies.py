"""Chunk and block lengths by the heuristics of other versions, under their names.

`MLArray.comp_blosc2_params` uses that of 0.0.54; images of 0.0.33 were cut by the baseline.
Both give the very lengths that these versions give; `save` cuts by a rule of its own, unless
``chunk_size`` and ``block_size`` say otherwise. Two more that 0.0.54 lists but
never uses, ``generalized`` and ``spatial_only``, have no heuristic of their own here: they are
names of that of 0.0.54.
"""

from ._compat.layouts import *  # noqa: F403
from ._compat.layouts import __all__ as __all__
