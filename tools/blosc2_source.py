"""Sources of c-blosc2, LZ4 and ZSTD, for builds in which they are instrumented.

A sanitizer sees only code that was compiled for it, and the static library that the package
links is not. The sources come with a source package on PyPI; its c-blosc2 is 3.3.2, a little
older than the one that is linked, and no package brings a newer one.

    cmake -S . -B build/asan -DMLARRAY_SANITIZE=address,undefined -DMLARRAY_BLOSC2=fetch \\
      -DFETCHCONTENT_SOURCE_DIR_BLOSC2="$(python3 tools/blosc2_source.py)"

The folder of c-blosc2 is printed; `cmake/MlarrayBlosc2.cmake` finds the others beside it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "hdf5plugin"
VERSION = "7.1.0"
SHA256 = "dc4aa9576bf5770d773be9309a060ccf2f0ce2f0031f2b369f566d2662ec2fb3"
# The folder in the package, and what it is called here.
PARTS = {"lib/c-blosc2": "c-blosc2", "lib/lz4-clib": "lz4", "lib/zstd": "zstd"}


def download(folder: Path) -> Path:
    """Let pip fetch the package's archive into ``folder`` and check its hash."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--no-deps", "--no-binary", PACKAGE]
    command += ["--require-hashes", "-r", str(requirements), "-d", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = list(folder.glob(f"{PACKAGE}-{VERSION}.*"))
    if result.returncode != 0 or len(archives) != 1:
        raise SystemExit(
            f"cannot download {PACKAGE} {VERSION}, which brings the sources of c-blosc2; it "
            f"needs a package index:\n{result.stderr[-2000:]}"
        )
    return archives[0]


def extract(archive: Path, folder: Path) -> None:
    """Take the folders of `PARTS` out of the archive: plain files only."""
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = member.name.partition("/")[2]
            for part, name in PARTS.items():
                if not member.isfile() or not inside.startswith(part + "/"):
                    continue
                target = folder / name / inside[len(part) + 1 :]
                if ".." in target.parts:
                    raise SystemExit(f"{archive.name} names {member.name}, outside its folder")
                target.parent.mkdir(parents=True, exist_ok=True)
                data = tar.extractfile(member)
                assert data is not None
                target.write_bytes(data.read())


def ensure(parent: Path = ROOT / "build") -> Path:
    """Return the folder of c-blosc2's sources, fetching them the first time."""
    folder = parent / f"blosc2-source-{VERSION}"
    if not folder.exists():
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent) as temporary:
            extracted = Path(temporary) / "sources"
            extract(download(Path(temporary)), extracted)
            shutil.move(extracted, folder)
    return folder / "c-blosc2"


if __name__ == "__main__":
    print(ensure())
