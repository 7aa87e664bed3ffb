"""What commands print of several things: a table, or a name and a text a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["fields", "table"]

_GAP = "  "


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str] | str], right: Sequence[str] = ()
) -> Iterator[str]:
    """A line of titles and one for each row, in columns as wide as what is in them.

    Parameters
    ----------
    titles : sequence of str
        One per column.
    rows : sequence of sequence of str, or str
        A row that ends early has no further columns: its last cell is a text of any length. A
        str is a line of its own, printed as it is.
    right : sequence of str
        Titles of columns of numbers, which stand at the right.

    Examples
    --------
    >>> rows = [["a", "10 B"], "note", ["b.mla", "1 B"]]
    >>> print(*table(["name", "size"], rows, ["size"]), sep="\\n")
    name   size
    a      10 B
    note
    b.mla   1 B
    """
    cells = [titles, *(row for row in rows if not isinstance(row, str))]
    widths = [0] * len(titles)
    for row in cells:
        padded = row if len(row) == len(titles) else row[:-1]
        for column, cell in enumerate(padded):
            widths[column] = max(widths[column], len(cell))

    def line(row: Sequence[str]) -> str:
        if len(row) < len(titles):
            *row, last = row
        else:
            last = ""
        parts = [
            f"{cell:>{width}}" if title in right else f"{cell:<{width}}"
            for cell, width, title in zip(row, widths, titles)
        ]
        return _GAP.join([*parts, last]).rstrip()

    yield line(titles)
    for row in rows:
        yield row if isinstance(row, str) else line(row)


def fields(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A name and a text a line, under a heading.

    Examples
    --------
    >>> print(*fields([("shape", "4 x 8"), ("dtype", "int16")]), sep="\\n")
      shape  4 x 8
      dtype  int16
    """
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        yield f"{_GAP}{name:<{width}}{_GAP}{text}"
