"""Grey pictures as PNG, for notebooks: no other package is needed."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

__all__ = ["png"]


def png(grey: np.ndarray[Any, Any]) -> bytes:
    """A picture of 8 bits a pixel.

    Parameters
    ----------
    grey : numpy.ndarray
        ``(height, width)``, uint8; 0 is black.

    Returns
    -------
    bytes
        The file.

    Examples
    --------
    >>> png(np.zeros((2, 3), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width = grey.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = grey
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _part(b"IHDR", header)
        + _part(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + _part(b"IEND", b"")
    )


def _part(name: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    )
