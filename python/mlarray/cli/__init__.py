"""The commands, each also a function.

Importing this package imports neither NumPy nor nibabel: the commands import what they
need when they run.
"""

from __future__ import annotations

from .convert import (
    cli_convert_to_mlarray,
    convert_from_mlarray,
    convert_image,
    convert_to_mlarray,
)
from .header import cli_print_header, print_header, read_header

__all__ = [
    "cli_convert_to_mlarray",
    "cli_print_header",
    "convert_from_mlarray",
    "convert_image",
    "convert_to_mlarray",
    "print_header",
    "read_header",
]
