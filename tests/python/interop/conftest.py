"""Other packages that read and write the same files, each in one process of its own.

An environment that cannot be made fails the tests that need it: a skipped comparison is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peers import Peer, environments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Path]:
    """A function from the name of an environment to its interpreter."""
    ensure: Callable[[str], Path] = environments().ensure
    return ensure


def _peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Peer]]:
    started: dict[str, Peer] = {}

    def get(name: str) -> Peer:
        if name not in started or not started[name].alive:
            started[name] = Peer(name, tmp_path_factory.mktemp("peer"))
        return started[name]

    yield get
    for process in started.values():
        process.close()


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Peer]]:
    """A function from the name of an environment to its process, started when asked for."""
    yield from _peers(tmp_path_factory)


@pytest.fixture
def fresh_peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Peer]]:
    """The same with processes of the test's own.

    For what forks in them: once a library has started threads, its children can hang.
    """
    yield from _peers(tmp_path_factory)
