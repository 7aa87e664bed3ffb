"""Other packages that read and write the same files, each in one process of its own.

An environment that cannot be made fails the tests that need it: a skipped comparison is none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]


def _environments() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "reference_env", ROOT / "tools" / "reference_env.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Peer:
    """One process of a venv that answers requests; see peer.py."""

    def __init__(self, name: str, folder: Path) -> None:
        environments = _environments()
        self.name = name
        self.alive = True
        self._stderr = folder / "stderr.txt"
        self._voxels = folder / "voxels.npy"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [environments.ensure(name), "-I", Path(__file__).with_name("peer.py")],
                env=environments.clean_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def do(self, action: str, **arguments: Any) -> Any:
        """Have one action done; an exception over there is an assertion here."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"do": action, **arguments}
        try:
            process.stdin.write(json.dumps(request, default=str) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.close()
            pytest.fail(
                f"{self.name} died ({process.returncode}) of {request}\n"
                f"{self._stderr.read_text()}"
            )
        answer = json.loads(line)
        assert "error" not in answer, f"{self.name}: {request}\n{answer['error']}"
        return answer["result"]

    def voxels_after(self, action: str, **arguments: Any) -> tuple[np.ndarray[Any, Any], Any]:
        """Have an action done that puts voxels out."""
        self._voxels.unlink(missing_ok=True)
        result = self.do(action, out=self._voxels, **arguments)
        return np.load(self._voxels), result

    def with_voxels(self, action: str, values: np.ndarray[Any, Any], **arguments: Any) -> Any:
        """Have an action done that takes voxels in."""
        np.save(self._voxels, values)
        return self.do(action, values=self._voxels, **arguments)

    def close(self) -> None:
        """End the process, if it has not ended by itself."""
        if self.alive:
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate(timeout=60)
            self.alive = False


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Path]:
    """A function from the name of an environment to its interpreter."""
    ensure: Callable[[str], Path] = _environments().ensure
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
