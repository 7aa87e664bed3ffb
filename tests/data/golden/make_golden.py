"""Make the golden files: every released writer writes them in an environment of its own.

    python tests/data/golden/make_golden.py                 # all
    python tests/data/golden/make_golden.py blosc2-3.3.4    # one writer

The environments are throwaway venvs under build/venvs, with exact versions
(tools/reference_env.py); they need a package index. A writer's folder is replaced as a
whole. The files of one run differ from the last one's in the time stamps of gzip only.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools"))

import reference_env  # noqa: E402  (its folder has to be on the path first)

MAX_FILE_BYTES = 60_000
MAX_TOTAL_BYTES = 1_700_000


def make(writer: str) -> None:
    """Let ``writer`` write its folder anew."""
    python = reference_env.ensure(writer)
    product, version = writer.split("-")
    folder = HERE / (version if product == "mlarray" else writer)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    oldest = product == "mlarray" and tuple(map(int, version.split("."))) < (0, 0, 28)
    script = HERE / ("write_oldest.py" if oldest else f"write_{product}.py")
    subprocess.run([python, script, folder], check=True, env=reference_env.clean_environment())


def check_sizes() -> None:
    """Refuse files that are too big for the repository."""
    sizes = {path: path.stat().st_size for path in HERE.rglob("*") if path.is_file()}
    for path, size in sizes.items():
        if size > MAX_FILE_BYTES:
            raise SystemExit(f"{path} has {size} bytes, the limit is {MAX_FILE_BYTES}")
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        raise SystemExit(f"{sum(sizes.values())} bytes in all, the limit is {MAX_TOTAL_BYTES}")
    print(f"{len(sizes)} files, {sum(sizes.values())} bytes")


if __name__ == "__main__":
    writers = [name for name in reference_env.REQUIREMENTS if not name.startswith("napari")]
    for name in sys.argv[1:] or writers:
        make(name)
    check_sizes()
