"""The program ``mlarray``: one subcommand per module of this package.

A command is a module with ``DESCRIPTION``, ``EXAMPLES``, ``add_arguments(parser)`` and
``command(options)``, named in `_COMMANDS`.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence

from .. import _core
from . import (
    bench_loader,
    convert,
    header,
    index,
    info,
    ls,
    nnunet,
    nnunet_convert,
    repack,
    salvage,
    tune,
    verify,
)
from ._parser import Parser
from ._run import run

__all__ = ["main"]

_COMMANDS = {
    "info": info,
    "ls": ls,
    "header": header,
    "convert": convert,
    "verify": verify,
    "salvage": salvage,
    "repack": repack,
    "tune": tune,
    "index": index,
    "bench-loader": bench_loader,
    "nnunet": nnunet,
    "nnunet-convert": nnunet_convert,
}

_EPILOG = """\
exit codes:
  0  everything asked for was done
  1  something failed: stderr says what, in one line each
  2  the command line is wrong
  3  verify: nothing is damaged, but not everything could be verified
     salvage: nothing is lost, but not everything could be verified
  4  salvage: voxels, metadata or the newest commit are lost

Results go to stdout, progress and errors to stderr. Every command has --help with examples
and --json.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mlarray COMMAND ...`` and return its exit code."""
    parser = Parser(
        prog="mlarray",
        description="Tools for .mla files: N-dimensional images for training.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mlarray {_core.version}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.DESCRIPTION.split(". ")[0].rstrip("."),
            description=textwrap.fill(module.DESCRIPTION, 90),
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(command=module.command)
    return run(parser, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
