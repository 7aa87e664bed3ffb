"""A command line that says of a word it does not know which one was probably meant."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from ..errors import nearest

__all__ = ["Parser"]

_CHOICE = re.compile(r"invalid choice: (?:')?(.*?)(?:')? \(choose from (.*)\)$")


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` whose commands answer for unknown options themselves.

    argparse hands them up to the program, which prints its own usage and names no option.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        # Before argparse, which would first ask for what seems to be missing.
        self._refuse_unknown(sys.argv[1:] if args is None else args)
        found, extra = super().parse_known_args(args, namespace)
        if extra:
            options = [word for word in extra if word.startswith("-")]
            self._refuse(options[0] if options else extra[0])
        return found, extra

    def error(self, message: str) -> NoReturn:
        if match := _CHOICE.search(message):
            word, choices = match[1], re.findall(r"[^\s,']+", match[2])
            message += _meant(word, choices)
        super().error(message)

    def _refuse_unknown(self, args: Sequence[str]) -> None:
        for word in args:
            if word == "--" or (self._subparsers is not None and not word.startswith("-")):
                return  # the rest is not ours
            name = word.partition("=")[0]
            if name.startswith("--") and not any(o.startswith(name) for o in self._options()):
                self._refuse(name)

    def _refuse(self, word: str) -> NoReturn:
        if word.startswith("-"):
            self.error(f"there is no option {word}{_meant(word, self._options())}")
        self.error(f"one argument too many: {word}")

    def _options(self) -> Iterable[str]:
        return self._option_string_actions


def _meant(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f"; did you mean {close}?" if close else ""
