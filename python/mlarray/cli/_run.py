"""What all commands do alike: parse, run, and turn what happens into an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from ..errors import MLArrayError

__all__ = ["FAILURE", "add_json", "describe", "printable", "run"]

# Returns nothing, or an exit code: FAILURE if it has said on stderr or stdout what failed.
Command = Callable[[argparse.Namespace], "int | None"]

FAILURE: Final = 1
# As shells say of a program that these signals end: 128 + SIGINT, 128 + SIGPIPE.
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141


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
        0, or what the command returns; 1 after an error, of which one line is on stderr; 130
        after Ctrl-C; 141 if the reader of our output (head, less) has gone. Wrong usage exits
        with 2 from within argparse.
    """
    try:
        try:
            options = parser.parse_args(arguments)
            return (command or options.command)(options) or 0
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain once more when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except (MLArrayError, OSError, MemoryError) as error:
        print(f"{parser.prog}: error: {describe(error)}", file=sys.stderr)
        return FAILURE


def describe(error: BaseException) -> str:
    """An error as one line."""
    return printable(" ".join(str(error).split()) or type(error).__name__)


def printable(text: str) -> str:
    """File names may hold what the terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def add_json(parser: argparse.ArgumentParser, text: str) -> None:
    """The option that every command has."""
    parser.add_argument("--json", action="store_true", help=text)
