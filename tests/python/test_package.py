"""What `import mlarray` makes reachable, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mlarray


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", ["cli", "convert", "errors", "orientation"])
def test_modules_are_there_when_they_are_used(name: str) -> None:
    program = (
        f"import sys, mlarray; assert 'mlarray.{name}' not in sys.modules; "
        f"assert '{name}' in dir(mlarray); print(mlarray.{name}.__name__)"
    )
    assert run(program) == f"mlarray.{name}\n"


def test_importing_it_imports_neither_numpy_nor_a_part() -> None:
    loaded = run("import sys, mlarray; print(*sys.modules)").split()
    assert [one for one in loaded if "mlarray" in one] == ["mlarray"]
    assert "numpy" not in loaded


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'konvert'"):
        _ = mlarray.konvert  # type: ignore[attr-defined]


HELD = """\
import threading, time
import numpy as np
from mlarray import MLArray

MLArray(np.arange(24).reshape(2, 3, 4)).save("a.mla")
ready = threading.Event()

def work():
    image = MLArray.open("a.mla")
    image[0]
    ready.set()
    time.sleep(60)

threading.Thread(target=work, daemon=True).start()
ready.wait()
"""


def test_a_daemon_thread_that_holds_an_image_at_exit_is_no_leak(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert run(HELD) == ""


USED = """\
from mlarray import _core
_core.set_leak_warnings(True)
import copy, pickle
import numpy as np
from mlarray import MLArray

image = MLArray(np.arange(24).reshape(2, 3, 4), spacing=(1, 2, 3), meta={"a": [1]})
image.save("a.mla")
image.compress()
copy.deepcopy(image), pickle.loads(pickle.dumps(image))
with MLArray.open("a.mla", mmap="r+") as opened:
    opened[0] += 1
    opened.meta.extra["b"] = {"c": 2}
    opened.compute_statistics()
    try:
        opened[0] = np.zeros((7, 7))
    except Exception:
        pass
with MLArray.open("a.mla") as opened:
    opened.verify(), opened.refresh(), repr(opened), opened._repr_html_()
try:
    MLArray.open("no.mla")
except FileNotFoundError:
    pass
"""


def test_the_bindings_forget_no_reference(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert run(USED) == ""
