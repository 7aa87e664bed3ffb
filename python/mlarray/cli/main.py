"""The program ``mlarray``: one subcommand per module of this package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import __version__
from . import convert, header
from ._run import run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mlarray COMMAND ...`` and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="mlarray", description="Tools for .mla files: N-dimensional images for training."
    )
    parser.add_argument("--version", action="version", version=f"mlarray {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in (("header", header), ("convert", convert)):
        command = commands.add_parser(
            name, help=module.DESCRIPTION, description=module.DESCRIPTION
        )
        module.add_arguments(command)
        command.set_defaults(command=module.command)
    return run(parser, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
