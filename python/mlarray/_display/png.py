"""Pictures as PNG, for notebooks: no other package is needed."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

__all__ = ["png"]


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A picture of 8 bits a pixel and colour.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(height, width)`` for grey, 0 is black, or ``(height, width, 3)`` for red, green and
        blue; uint8.

    Returns
    -------
    bytes
        The file.

    Examples
    --------
    >>> png(np.zeros((2, 3), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width = pixels.shape[:2]
    line = pixels.reshape(height, -1)
    rows = np.zeros((height, line.shape[1] + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = line
    colour = 2 if pixels.ndim == 3 else 0
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
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
