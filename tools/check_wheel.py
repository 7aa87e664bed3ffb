"""Check what is inside built wheels: files, metadata, licences, symbols, traces of the builder.

Needs Python and, for wheels of Linux, ``nm`` (binutils)::

    python tools/check_wheel.py dist/*.whl
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from pathlib import Path

# Sources that upstream compiled into the static library we link: their machine, not ours.
UPSTREAM_PATH = re.compile(r"/_deps/blosc2-src/")
HOME_OR_SOURCE = re.compile(
    r"/(?:home|root|tmp|work|project|builds?|Users|__w)/[\w.+-]"
    r"|(?:/[\w.+-]+)+\.(?:c|cc|cpp|h|hpp|py|pyx)\b"
    r"|[A-Z]:\\(?:[\w.+ -]+\\)+"
)
PRINTABLE = re.compile(rb"[\x20-\x7e]{6,}")
RUNTIME_REQUIREMENTS = {"numpy"}


@dataclass(frozen=True)
class Wheel:
    """The files of a wheel, in memory."""

    name: str
    files: dict[str, bytes]

    @classmethod
    def open(cls, path: Path) -> Wheel:
        """Read the wheel at ``path``."""
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            return cls(path.name, {name: archive.read(name) for name in names})

    @property
    def dist_info(self) -> str:
        """The folder of the wheel's metadata, with a slash."""
        return "-".join(self.name.split("-")[:2]) + ".dist-info/"

    @property
    def metadata(self) -> Message:
        """What PyPI shows."""
        return message_from_string(self.text("METADATA"))

    @property
    def extensions(self) -> list[str]:
        """The compiled modules."""
        return [name for name in self.files if name.endswith((".so", ".pyd"))]

    def text(self, name: str) -> str:
        """Return a file of the metadata folder, empty where there is none."""
        return self.files.get(self.dist_info + name, b"").decode("utf-8")


def contents(wheel: Wheel) -> list[str]:
    """The package with its types, the metadata, and nothing else."""
    problems = [
        f"{name} is missing"
        for name in (
            *("mlarray/__init__.py", "mlarray/__init__.pyi", "mlarray/_core.pyi"),
            "mlarray/py.typed",
        )
        if name not in wheel.files
    ]
    if len(wheel.extensions) != 1:
        problems.append(f"one compiled module expected, found {wheel.extensions}")
    for name in wheel.files:
        if not name.startswith(("mlarray/", wheel.dist_info)):
            problems.append(f"{name} does not belong into the wheel")
        elif name.startswith("mlarray/") and not name.endswith(
            (".py", ".pyi", ".so", ".pyd", "/py.typed")
        ):
            problems.append(f"{name} is no file of the package")
    return problems


def metadata(wheel: Wheel) -> list[str]:
    """NumPy alone at run time, a version that is the file's, commands that exist."""
    problems = []
    version = wheel.name.split("-")[1]
    if wheel.metadata["Version"] != version:
        problems.append(f"METADATA says version {wheel.metadata['Version']}, not {version}")
    required = {
        re.split(r"[^\w.-]", line, maxsplit=1)[0].lower()
        for line in wheel.metadata.get_all("Requires-Dist", [])
        if "extra ==" not in line
    }
    if required != RUNTIME_REQUIREMENTS:
        problems.append(f"requires {sorted(required)}, not {sorted(RUNTIME_REQUIREMENTS)}")
    for line in wheel.metadata.get_all("Project-URL", []):
        if re.search(r"example\.(com|org)|TODO|CHANGEME|<[^>]*>", line):
            problems.append(f"a placeholder is left: {line}")
    commands = re.findall(r"^(\w+) = ([\w.]+):\w+$", wheel.text("entry_points.txt"), re.M)
    if not commands:
        problems.append("no commands in entry_points.txt")
    for command, module in commands:
        if module.replace(".", "/") + ".py" not in wheel.files:
            problems.append(f"the command {command} names {module}, which is not in the wheel")
    return problems


def licences(wheel: Wheel) -> list[str]:
    """LICENSE, NOTICES.md and every text that NOTICES.md names; no libraries beside them."""
    problems = []
    folder = wheel.dist_info + "licenses/"
    for name in ("LICENSE", "NOTICES.md"):
        if not wheel.files.get(folder + name, b"").strip():
            problems.append(f"{name} is missing or empty")
    named = set(re.findall(r"\]\((licenses/[^)]+)\)", wheel.text("licenses/NOTICES.md")))
    shipped = {
        name.removeprefix(folder) for name in wheel.files if "/licenses/licenses/" in name
    }
    problems += [f"NOTICES.md names {name}: missing" for name in sorted(named - shipped)]
    problems += [f"{name} is not named by NOTICES.md" for name in sorted(shipped - named)]
    problems += [
        f"{name} is empty"
        for name in sorted(named & shipped)
        if not wheel.files[folder + name].strip()
    ]
    problems += [
        f"{name} is a copy of a system library: NOTICES.md does not cover it"
        for name in wheel.files
        if ".libs/" in name or ".dylibs/" in name
    ]
    return problems


def symbols(wheel: Wheel) -> list[str]:
    """PyInit__core is all that the extension shows: no codec of ours meets another's."""
    problems = []
    for name in wheel.extensions:
        if not wheel.files[name].startswith(b"\x7fELF"):
            continue  # macOS and Windows bind symbols to the library they came from
        with tempfile.NamedTemporaryFile() as file:
            file.write(wheel.files[name])
            file.flush()
            listed = subprocess.run(
                ["nm", "-D", "--defined-only", "--format=posix", file.name],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        defined = {line.split()[0].split("@")[0] for line in listed.splitlines()}
        if "PyInit__core" not in defined:
            problems.append(f"{name} does not define PyInit__core")
        # C++ run-time types are weak and shared on purpose: exceptions need them.
        leaked = sorted(s for s in defined if s != "PyInit__core" and not s.startswith("_Z"))
        if leaked:
            problems.append(f"{name} shows {len(leaked)} symbols, such as {leaked[:5]}")
    return problems


def traces(wheel: Wheel) -> list[str]:
    """No path of the machine that built it."""
    problems = []
    for name in wheel.extensions:
        for match in PRINTABLE.finditer(wheel.files[name]):
            text = match.group().decode("ascii")
            if HOME_OR_SOURCE.search(text) and not UPSTREAM_PATH.search(text):
                problems.append(f"{name} holds the path {text!r}")
    return problems


CHECKS = (contents, metadata, licences, symbols, traces)


def main() -> None:
    """Check the wheels on the command line."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    if not paths:
        sys.exit("usage: python tools/check_wheel.py WHEEL...")
    failed = False
    for path in paths:
        wheel = Wheel.open(path)
        problems = [f"{check.__name__}: {text}" for check in CHECKS for text in check(wheel)]
        failed |= bool(problems)
        print(f"{path.name}: {'as it should be' if not problems else ''}")
        print("".join(f"  {problem}\n" for problem in problems), end="")
    sys.exit(failed)


if __name__ == "__main__":
    main()
