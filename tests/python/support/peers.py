"""Other packages that read and write the same files, each in one process of its own.

An environment that cannot be made fails what needs it: a skipped comparison is none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
# The newest blosc2 has no wheel for Python 3.10; the reference brings the newest that has.
NEWEST = "blosc2-4.14.1" if sys.version_info >= (3, 11) else "mlarray-0.0.54"


def environments() -> ModuleType:
    """Return tools/reference_env.py as a module."""
    spec = importlib.util.spec_from_file_location(
        "reference_env", ROOT / "tools" / "reference_env.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Peer:
    """One process of a venv that answers requests; see tests/python/interop/peer.py."""

    def __init__(self, name: str, folder: Path) -> None:
        tools = environments()
        self.name = name
        self.alive = True
        self._stderr = folder / f"{name}-stderr.txt"
        self._voxels = folder / f"{name}-voxels.npy"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [tools.ensure(name), "-I", ROOT / "tests/python/interop/peer.py"],
                env=tools.clean_environment(),
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
            raise AssertionError(
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
