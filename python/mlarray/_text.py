"""Numbers and sizes as a reader wants them."""

from __future__ import annotations

from typing import Any

__all__ = ["lengths", "numbers", "size_text"]


def lengths(items: Any) -> str:
    """``160 x 256 x 256``."""
    return " x ".join(map(str, items)) or "(no axes)"


def numbers(items: Any) -> str:
    """Numbers as a reader wants them: six digits at most."""
    return ", ".join(f"{item:.6g}" for item in items)


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
