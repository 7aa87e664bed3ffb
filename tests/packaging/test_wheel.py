"""A source archive builds a wheel, and the wheel is whole and enough: nothing else is needed.

``make wheel`` sets MLARRAY_WHEEL and MLARRAY_SDIST to what will be released, and ``make test``
MLARRAY_WHEEL to what its set-up has built of the clone. Without them both are built here, the
wheel without optimization and as a quick build.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(900)  # the first test that wants the wheel builds it

ROOT = Path(__file__).resolve().parents[2]


def load_checks() -> Any:
    """tools/check_wheel.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("check_wheel", ROOT / "tools/check_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


checks = load_checks()


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command without what this process' Python sees; return what it prints."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment.update(variables)
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("MLARRAY_SDIST"):
        return Path(given)
    folder = tmp_path_factory.mktemp("sdist")
    build = "import scikit_build_core.build as b, sys; b.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", build, folder, cwd=ROOT)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("MLARRAY_WHEEL"):
        return Path(given)
    folder = tmp_path_factory.mktemp("wheel")
    # Settings go by the environment: how pip takes them depends on its version.
    fast = {
        "SKBUILD_CMAKE_BUILD_TYPE": "MinSizeRel",
        "SKBUILD_CMAKE_DEFINE": "CMAKE_CXX_FLAGS_MINSIZEREL=-O0 -DNDEBUG",
    }
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    run(*pip, "-w", folder, sdist, cwd=folder, **fast)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def opened(wheel: Path) -> Any:
    return checks.Wheel.open(wheel)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which only the wheel was installed."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    executable = folder / "bin" / "python"
    run(executable, "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return executable


def test_the_source_archive_has_what_git_has(sdist: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("compares with git, and this is not a clone")
    tracked = run("git", "ls-files", cwd=ROOT).splitlines()
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    missing = {name for name in tracked if (ROOT / name).is_file()} - packed
    assert {name for name in missing if not name.startswith("tests/data/golden/")} == set()
    assert not any(name.startswith("tests/data/golden/") for name in packed)


def test_the_source_archive_can_be_configured(sdist: Path, tmp_path: Path) -> None:
    """CMake finds every source; the wheel need not be built of the archive to know that."""
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # later Pythons ask for a choice
            archive.extractall(tmp_path, filter="data")
        else:
            archive.extractall(tmp_path)
    (source,) = tmp_path.iterdir()
    tools = Path(sys.executable).parent
    settings = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}"]
    settings += [f"-DPython_EXECUTABLE={sys.executable}", "-DMLARRAY_BUILD_PYTHON=ON"]
    settings += ["-DMLARRAY_BUILD_TESTS=OFF"]
    run(tools / "cmake", "-S", source, "-B", tmp_path / "build", *settings, cwd=tmp_path)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_the_wheel_is_as_it_should_be(opened: Any, check: Any) -> None:
    assert check(opened) == []


def changed(opened: Any, **files: tuple[str, bytes | None]) -> Any:
    """The wheel with files replaced, or left out."""
    new = dict(opened.files)
    for name, data in files.values():
        new.pop(name, None)
        if data is not None:
            new[name] = data
    return dataclasses.replace(opened, files=new)


def test_the_checks_find_what_is_wrong(opened: Any) -> None:
    folder = opened.dist_info
    module = opened.extensions[0]
    metadata = opened.text("METADATA")

    def found(check: Any, name: str, data: bytes | None) -> str:
        return " ".join(check(changed(opened, it=(name, data))))

    assert "py.typed is missing" in found(checks.contents, "mlarray/py.typed", None)
    assert "tests/a.py does not belong" in found(checks.contents, "tests/a.py", b"")
    assert "mlarray/core.cpp is no file" in found(checks.contents, "mlarray/core.cpp", b"")
    assert "one compiled module expected" in found(checks.contents, module, None)
    more = metadata.replace(
        "Requires-Dist: numpy", "Requires-Dist: blosc2\nRequires-Dist: numpy"
    )
    assert "['blosc2', 'numpy']" in found(
        checks.metadata, folder + "METADATA", more.encode("utf-8")
    )
    assert "mlarray.cli.header" in found(checks.metadata, "mlarray/cli/header.py", None)
    licence = folder + "licenses/licenses/lz4.txt"
    assert "names licenses/lz4.txt: missing" in found(checks.licences, licence, None)
    assert "lz4.txt is empty" in found(checks.licences, licence, b"\n")
    assert "libz.so.1 is a copy" in found(checks.licences, "mlarray.libs/libz.so.1", b"")
    path = opened.files[module] + b"\0/home/somebody/mlarray/src/array/array.cpp\0"
    assert "/home/somebody" in found(checks.traces, module, path)
    # The dynamic symbols of the interpreter, for want of a library that leaks.
    other = Path(sys.executable).resolve().read_bytes()
    assert "does not define PyInit__core" in found(checks.symbols, module, other)


def test_only_numpy_comes_with_it(python: Path, tmp_path: Path) -> None:
    listed = json.loads(run(python, "-m", "pip", "list", "--format=json", cwd=tmp_path))
    # Python 3.10 and 3.11 put setuptools into every environment.
    assert {entry["name"] for entry in listed} - {"pip", "setuptools"} == {"mlarray", "numpy"}


def test_the_quick_start_runs(python: Path, tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert blocks
    for block in blocks:
        run(python, "-W", "error", "-c", block, cwd=tmp_path)
    header = run(python.parent / "mlarray", "header", "ct.mla", cwd=tmp_path)
    assert '"edited": true' in header


def test_the_installed_package_is_typed(python: Path, tmp_path: Path) -> None:
    code = "import mlarray, pathlib; print(pathlib.Path(mlarray.__file__).parent)"
    package = Path(run(python, "-c", code, cwd=tmp_path).strip())
    assert package.is_relative_to(python.parents[1])
    assert (package / "py.typed").is_file()
