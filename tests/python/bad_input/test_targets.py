"""What saving does to its target: links, modes, full disks, others' folders, killed writers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray

PLANE = np.zeros((4, 4), np.int16)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_links(tmp_path: Path) -> None:
    target, link, hard = tmp_path / "a.mla", tmp_path / "link.mla", tmp_path / "hard.mla"
    MLArray(PLANE).save(target)
    os.link(target, hard)
    link.symlink_to("a.mla")
    old = target.read_bytes()
    MLArray(PLANE + 1).save(link)
    assert link.is_symlink()
    assert MLArray(target)[0, 0] == 1
    assert hard.read_bytes() == old  # the other name keeps what it had
    dangling = tmp_path / "dangling.mla"
    dangling.symlink_to("new.mla")
    MLArray(PLANE).save(dangling)
    assert dangling.is_symlink()
    assert MLArray(tmp_path / "new.mla").shape == (4, 4)
    assert len(os.listdir(tmp_path)) == 5


def test_mode_and_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old.mla", tmp_path / "new.mla"
    MLArray(PLANE).save(old)
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        for path in (old, new):
            MLArray(PLANE).save(path)
    finally:
        os.umask(before)
    assert old.stat().st_mode & 0o777 == 0o640
    assert new.stat().st_mode & 0o777 == 0o640
    old.chmod(0o604)
    MLArray(PLANE).save(old)
    assert old.stat().st_mode & 0o777 == 0o604


LIMITED = """
import os, resource, signal, sys
import numpy as np
from mlarray import MLArray
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0).integers(0, 255, 200_000).astype("u1")
path = sys.argv[2]
try:
    if sys.argv[1] == "save":
        MLArray(noise).save(path)
    else:
        image = MLArray.open(path, mmap="r+")
        image[...] = noise
        image.close()
except OSError as error:
    print(type(error).__name__, error, flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("how", ["save", "edit"])
def test_a_full_disk(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.mla"
    MLArray(np.zeros(200_000, "u1")).save(path)
    old = path.read_bytes()
    said = run(LIMITED, how, path).stdout
    assert said.startswith("FileAccessError"), said
    assert str(path) in said
    assert "ulimit -f" in said
    assert os.listdir(tmp_path) == ["a.mla"]
    assert path.read_bytes()[: len(old)] == old  # what was committed; readers ignore the rest
    assert not MLArray(path).to_numpy().any()


UNPRIVILEGED = """
import os, sys
import numpy as np
from mlarray import MLArray
array = np.zeros((4, 4))
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
path = sys.argv[1]
for call in (
    lambda: MLArray(array).save(path),
    lambda: MLArray.create(path, (2,), "u1"),
    lambda: MLArray.open(path),
    lambda: MLArray.open(path, mmap="r+"),
    lambda: MLArray.load(path),
):
    try:
        call()
        print("no error")
    except PermissionError as error:
        assert error.errno == 13 and error.filename == path, error
        print(type(error).__name__, error)
"""


@pytest.fixture
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that everybody can reach."""
    folder = tmp_path_factory.mktemp("public")
    for parent in (folder, *folder.parents):
        if parent.owner() == folder.owner() and parent != Path("/tmp") and parent != Path("/"):
            parent.chmod(0o755)
    return folder


def test_folders_and_files_without_permission(public: Path) -> None:
    path = public / "a.mla"
    MLArray(PLANE).save(path)
    path.chmod(0)
    public.chmod(0o555)
    try:
        lines = run(UNPRIVILEGED, path).stdout.splitlines()
    finally:
        public.chmod(0o755)
    assert len(lines) == 5
    for line in lines:
        assert line.startswith("AccessDeniedError"), lines
        assert str(path) in line
        assert "check the permissions" in line or "make it writable" in line
    assert os.listdir(public) == ["a.mla"]


KILLED = """
import os, signal, sys
import numpy as np
from mlarray import MLArray
noise = np.random.default_rng(0).integers(0, 255, 3_000_000).astype("u1")
pid = os.fork()
if pid == 0:
    while True:
        MLArray(noise).save(sys.argv[1])
while not [name for name in os.listdir(os.path.dirname(sys.argv[1])) if name.endswith(".tmp")]:
    pass
os.kill(pid, signal.SIGSTOP)
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
"""


def _leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    for _ in range(20):  # killed between the rename and the next file, it leaves nothing
        run(KILLED, path)
        if _leftovers(tmp_path):
            break
    (left,) = _leftovers(tmp_path)
    stem, ending = left.rsplit("-", 1)
    # Alike, but not ours to remove: another machine, a living process, other names, a link.
    prefix, machine = stem.rsplit("-", 1)
    others = [
        f"{prefix}-{'0' * 8}-{ending}",
        f".a.mla.{os.getpid()}-{machine}-{ending}",
        f"{stem}-x{ending[1:]}",
        f"{stem}-{ending}.tmp",
        f"x{left}",
        f".{prefix.rsplit('.', 1)[1]}-{machine}-{ending}",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    link = f"{stem}-{'0' * 12}.tmp"
    (tmp_path / link).symlink_to("a.mla")
    MLArray(PLANE).save(path)
    assert sorted(_leftovers(tmp_path)) == sorted([*others, link])
    assert MLArray(path).shape == (4, 4)


HOLDS = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_locked_leftover_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    for _ in range(20):
        run(KILLED, path)
        if _leftovers(tmp_path):
            break
    (left,) = _leftovers(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path / left)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        MLArray(PLANE).save(path)
        assert _leftovers(tmp_path) == [left]


def test_a_socket_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.mla")
        for call in (lambda: MLArray("s.mla"), lambda: MLArray(PLANE).save("s.mla")):
            with pytest.raises(OSError, match=r"s\.mla"):
                call()
        assert os.listdir(tmp_path) == ["s.mla"]
