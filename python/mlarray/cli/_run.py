"""What all commands do alike: parse, run, and turn errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ..errors import MLArrayError

__all__ = ["run"]

Command = Callable[[argparse.Namespace], None]


def run(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
    command: Command | None = None,
) -> int:
    """Parse the arguments and run a command.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the program.
    arguments : sequence of str, optional
        Default: those of the process.
    command : callable, optional
        Default: what the chosen subcommand has set as ``command``.

    Returns
    -------
    int
        0, or 1 after an error, of which one line is on stderr. Wrong usage exits with 2
        from within argparse.
    """
    options = parser.parse_args(arguments)
    try:
        (command or options.command)(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough. Python would complain once
        # more when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MLArrayError, OSError, MemoryError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"{parser.prog}: error: {_printable(text)}", file=sys.stderr)
        return 1
    return 0


def _printable(text: str) -> str:
    """File names may hold what the terminal cannot show."""
    encoding = sys.stderr.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
