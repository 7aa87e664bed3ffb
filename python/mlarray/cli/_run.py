"""What all commands do alike: parse, run, and turn what happens into an exit code."""

from __future__ import annotations

import argparse
import errno
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
_WAYS_OUT: Final = {
    errno.EACCES: "its permissions, or those of its folder, do not allow it",
    errno.EPERM: "the system does not allow it",
    errno.EEXIST: "it exists already; name another, or remove it",
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EISDIR: "it is a folder; name a file",
    errno.ENOSPC: "the disk is full; free some space, or name a path on another",
    errno.EROFS: "the disk can only be read; name a path on another",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


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
    if isinstance(error, OSError) and not isinstance(error, MLArrayError) and error.errno:
        return printable(_of_system_call(error))
    return printable(" ".join(str(error).split()) or type(error).__name__)


def _of_system_call(error: OSError) -> str:
    """Python's own text is a number in brackets, and no way out."""
    code = error.errno or 0
    text = _WAYS_OUT.get(code) or os.strerror(code)
    name = error.filename
    return text if name is None else f"'{os.fsdecode(name)}': {text}"


def printable(text: str) -> str:
    """File names may hold what the terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def add_json(parser: argparse.ArgumentParser, text: str) -> None:
    """The option that every command has."""
    parser.add_argument("--json", action="store_true", help=text)
