"""Numbers and sizes as a reader wants them."""

from __future__ import annotations

from typing import Any

__all__ = ["layout_text", "lengths", "number", "numbers", "size_text"]


def lengths(items: Any) -> str:
    """``160 x 256 x 256``."""
    return " x ".join(map(str, items)) or "(no axes)"


def layout_text(chunks: Any, blocks: Any) -> str:
    """How voxels are cut."""
    return f"{lengths(chunks)}, in blocks of {lengths(blocks)}"


def number(item: float) -> str:
    """The shortest text that reads back to the same number.

    Examples
    --------
    >>> number(2.0), number(0.1 + 0.2), number(1e22)
    ('2', '0.30000000000000004', '1e+22')
    """
    return repr(item).removesuffix(".0")


def numbers(items: Any) -> str:
    """Numbers with commas, each as `number` gives it.

    Examples
    --------
    >>> numbers([1.0, 0.5])
    '1, 0.5'
    """
    return ", ".join(map(number, items))


def size_text(count: float) -> str:
    """Bytes in the largest unit of 1000 that leaves at least one.

    Examples
    --------
    >>> size_text(999), size_text(20_971_520)
    ('999 B', '21.0 MB')
    """
    if count < 1000:
        return f"{count:.0f} B"
    units = ["kB", "MB", "GB", "TB"]
    count /= 1000
    while count >= 999.95 and len(units) > 1:
        count /= 1000
        del units[0]
    return f"{count:.1f} {units[0]}"
