"""Turns the plain comments of a public header into those that doxygen reads, on stdout.

    python docs/doxygen_comments.py include/mlarray/array.hpp

A comment above a declaration or behind it documents it, the first one of a header the whole
file. "Errors:" begins a paragraph, and indented lines stay as they are laid out. Private
members, the last ones of a class, are left out.
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from pathlib import Path

COMMENT = re.compile(r" *// ?(.*)")
PRIVATE = re.compile(r"^ private:\n.*?(?=^\};)", re.M | re.S)


def block(texts: list[str]) -> str:
    """One comment of whole lines, without its slashes, as a comment of doxygen."""
    parts = []
    for laid_out, group in groupby(texts, key=lambda text: text.startswith("  ")):
        part = "\n".join(group)
        if laid_out:
            parts.append(f"\n@code{{.unparsed}}\n{part}\n@endcode\n")
        else:
            parts.append(
                re.sub(r"(^|(?<=[.)]) )(Errors[a-z ]*:)", r"\n\n<b>\2</b>", part, flags=re.M)
            )
    return "/** " + "\n".join(parts) + " */"


def convert(source: str) -> str:
    """The header with doxygen's comments."""
    converted = []
    for is_comment, lines in groupby(
        PRIVATE.sub("", source).splitlines(), key=lambda x: bool(COMMENT.fullmatch(x))
    ):
        if is_comment:
            texts = [COMMENT.sub(r"\1", line) for line in lines]
            converted.append(block(texts if converted else ["@file", *texts]))
        else:
            converted.extend(re.sub(r"(?<=[^ ]) +// ", " ///< ", line) for line in lines)
    return "\n".join(converted) + "\n"


if __name__ == "__main__":
    sys.stdout.write(convert(Path(sys.argv[1]).read_text(encoding="utf-8")))
