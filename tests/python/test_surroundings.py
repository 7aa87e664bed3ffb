"""Hostile surroundings: permissions, vanished folders, no descriptors, no memory, savers.

Each script runs in a process of its own, because it changes what the process may do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="limits, users and mounts are those of Linux"
)

BEGIN = """
import errno, os, resource, signal, sys
from pathlib import Path
import numpy as np
from mlarray import MLArray
from mlarray.errors import FileAccessError, MLArrayError

path = sys.argv[1]
folder = os.path.dirname(path)
SHAPE = (12, 20, 30)
CHUNKS = {"chunk_size": (6, 20, 30), "block_size": (3, 10, 30)}

def constant(number):
    return MLArray(np.full(SHAPE, number, "i2"), meta={"number": number})

def save(number, to=path, **options):
    constant(number).save(to, **CHUNKS, **options)

def number_in(name=path):
    "What all of a file holds; an error where it is not whole."
    with MLArray.open(name, verify=True) as image:
        voxels = image[...]
        number = int(voxels.flat[0])
        assert (voxels == number).all(), "a mixture"
        assert image.meta.source["number"] == number, "voxels and metadata of two states"
        return number

def fails(call, code, name=path):
    try:
        call()
    except OSError as error:
        assert (error.errno, error.filename) == (code, name), (error.errno, error)
        assert isinstance(error, MLArrayError), type(error)
    else:
        raise AssertionError("no error")

def change(number, **options):
    with MLArray.open(path, mmap="r+", **options) as image:
        image[...] = number
        image.meta.source["number"] = number
"""


def _run(path: Path, script: str, *before: str) -> str:
    """What the script prints; `before` are words before the interpreter."""
    result = subprocess.run(
        [*before, sys.executable, "-W", "error", "-c", BEGIN + textwrap.dedent(script), path],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stderr == ""
    return result.stdout


# --- folders, files and users -----------------------------------------------------------------


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="mlarray-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_folders_and_files_without_permission(public: Path) -> None:
    script = """
        save(1)
        change(2)  # imports what is imported late
        own, everybodys = Path(folder) / "own", Path(folder) / "everybodys"
        for one, mode in ((own, 0o755), (everybodys, 0o777)):
            one.mkdir()
            one.chmod(mode)
        foreign, sealed, locked = (str(everybodys / f"{n}.mla") for n in "abc")
        for name, mode in ((foreign, 0o644), (sealed, 0o000)):
            save(3, name)
            os.chmod(name, mode)
        if os.geteuid() == 0:
            os.chown(own, 65534, 65534)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)  # nobody
            others = [path, foreign]
        else:  # our own things, without permission
            Path(folder).chmod(0o555)
            os.chmod(path, 0o444)
            others = [path]
        for name in others:
            before = Path(name).read_bytes()
            number = number_in(name)
            fails(lambda: MLArray.open(name, mmap="r+"), errno.EACCES, name)
            fails(lambda: save(9, name), errno.EACCES, name)
            fails(lambda: MLArray.create(name, SHAPE, "i2"), errno.EACCES, name)
            with MLArray.open(name) as image:
                fails(lambda: image.save(name), errno.EACCES, name)
            assert number_in(name) == number
            assert Path(name).read_bytes() == before
        fails(lambda: MLArray.open(sealed), errno.EACCES, sealed)
        new = folder + "/new.mla"
        fails(lambda: save(9, new), errno.EACCES, new)
        fails(lambda: MLArray.create(new, SHAPE, "i2"), errno.EACCES, new)
        # A file of ours that is read-only, where we could replace it.
        mine = str(own / "mine.mla")
        save(5, mine)
        os.chmod(mine, 0o444)
        fails(lambda: save(9, mine), errno.EACCES, mine)
        fails(lambda: MLArray.open(mine, mmap="r+"), errno.EACCES, mine)
        assert number_in(mine) == 5
        os.chmod(mine, 0o644)
        save(6, mine)
        assert number_in(mine) == 6
        if others == [path]:
            Path(folder).chmod(0o755)
    """
    _run(public / "a.mla", script)
    names = sorted(p.name for p in public.rglob("*"))
    assert names == ["a.mla", "a.mla", "b.mla", "everybodys", "mine.mla", "own"]


def test_a_folder_that_vanishes(tmp_path: Path, volume: np.ndarray) -> None:
    folder = tmp_path / "gone"
    path = folder / "a.mla"

    def begin() -> None:
        folder.mkdir()
        MLArray(volume).save(path)

    begin()
    with MLArray.open(path) as reader:
        shutil.rmtree(folder)
        np.testing.assert_array_equal(reader[...], volume)
        assert reader.verify().status == "verified"
        with pytest.raises(NotFoundError, match="check the path") as caught:
            reader.refresh()
        assert caught.value.filename == str(path)
        np.testing.assert_array_equal(reader[3], volume[3])
        with pytest.raises(NotFoundError, match="does not exist; make the folder first"):
            reader.save(path)
        with pytest.raises(NotFoundError, match="does not exist; make the folder first"):
            MLArray.create(path, 3, "u1")
        reader.save(tmp_path / "kept.mla")
    np.testing.assert_array_equal(MLArray(tmp_path / "kept.mla")[...], volume)
    begin()
    image = MLArray.open(path, mmap="r+")
    image[0] = 5
    shutil.rmtree(folder)
    # The edits would go into a file without a name.
    for level in ("none", "durable"):
        with pytest.raises(NotFoundError, match="removed while it was open") as caught:
            image.flush(level=level)
        assert (caught.value.filename, caught.value.errno) == (str(path), 2)
    image.save(tmp_path / "saved.mla")
    with pytest.raises(NotFoundError, match=r"save\(\) the array to another path"):
        image.close()
    assert image.filepath is None
    with MLArray.open(tmp_path / "saved.mla") as saved:
        assert (saved[0] == 5).all()
        np.testing.assert_array_equal(saved[1:], volume[1:])
    folder.mkdir()
    created = MLArray.create(path, (3, 4), "u1")
    shutil.rmtree(folder)
    created.close()  # nothing was edited
    folder.mkdir()
    created = MLArray.create(path, (3, 4), "u1")
    created[...] = 7
    path.rename(tmp_path / "moved.mla")
    created.close()  # it has another name
    assert (MLArray(tmp_path / "moved.mla")[...] == 7).all()


def test_a_new_file_under_a_relative_path(tmp_path: Path) -> None:
    script = """
        os.chdir(folder)
        with MLArray.create("b.mla", SHAPE, "i2", **CHUNKS) as image:
            os.mkdir("sub")
            os.chdir("sub")
            noise = np.random.default_rng(1).integers(0, 30_000, (12, *SHAPE), "i2")
            for voxels in noise:
                image[...] = voxels
                image.flush(level="durable")
            dead = os.path.getsize(folder + "/b.mla")
        assert os.path.getsize(folder + "/b.mla") < dead / 4  # rewritten, where it is
        assert (MLArray(folder + "/b.mla")[...] == noise[-1]).all()
    """
    _run(tmp_path / "a.mla", script)
    assert sorted(os.listdir(tmp_path)) == ["b.mla", "sub"]


# --- limits of the process --------------------------------------------------------------------


def test_more_images_than_descriptors(tmp_path: Path) -> None:
    """Images that keep a descriptor each would end at 64 of them."""
    script = """
        save(1)
        for number in range(300):
            os.link(path, f"{folder}/{number}.mla")
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        images = [MLArray.open(f"{folder}/{number}.mla") for number in range(300)]
        assert len(os.listdir("/proc/self/fd")) < 48
        assert all((image[3:9] == 1).all() for image in images)
        save(2)  # a new file under one of the names
        assert images[299].refresh() is False and (images[299][...] == 1).all()
        os.replace(path, f"{folder}/299.mla")
        assert images[299].refresh() and (images[299][...] == 2).all()
    """
    _run(tmp_path / "a.mla", script)


def test_without_descriptors(tmp_path: Path) -> None:
    script = """
        def limited(free, call):
            "With so many descriptors free. Whether it succeeded."
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            first = os.dup(0)
            os.close(first)
            resource.setrlimit(resource.RLIMIT_NOFILE, (first + free, hard))
            try:
                call()
            except OSError as error:
                assert error.errno == errno.EMFILE, error
                assert error.filename and folder in error.filename, error
                assert "raise the limit of open files" in str(error)
                return False
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            return True

        save(1)
        change(2)
        new = folder + "/new.mla"
        succeeded = set()
        for free in range(5):
            before = len(os.listdir("/proc/self/fd"))
            for name, call in {
                "open": lambda: MLArray.open(path).close(),
                "load": lambda: MLArray(path).to_numpy(),
                "open r+": lambda: MLArray.open(path, mmap="r+").close(),
                "save": lambda: save(3, new),
                "save verified": lambda: save(3, new, verify=True),
                "create": lambda: MLArray.create(new, 3, "u1").close(),
            }.items():
                if limited(free, call):
                    succeeded.add(name)
                assert number_in() == 2
                assert set(os.listdir(folder)) <= {"a.mla", "new.mla"}
            if os.path.exists(new):
                os.remove(new)
            for number, level in ((10, "ordered"), (20, "durable"), (30, None)):
                number += free
                last = number_in()
                image = MLArray.open(path, mmap="r+")
                def edit():
                    image[...] = number
                    image.meta.source["number"] = number
                assert limited(free, edit)
                if level is None:
                    done = limited(free, lambda: image.save(path, level="durable"))
                    after = limited(free, image.close)  # edits need no descriptor
                    assert after
                else:
                    done = limited(free, lambda: image.flush(level=level))
                    if not done:
                        image.flush(level=level)  # nothing was lost
                    image.close()
                if done:
                    succeeded.add(f"flush {level}")
                assert number_in() == number
                other = MLArray.open(path)
                if limited(free, lambda: save(number + 1)):
                    succeeded.add("save over")
                    assert number_in() == number + 1
                else:
                    assert number_in() == number
                assert (other[...] == number).all()
                newer = other.refresh()
                assert other[0, 0, 0] == number + newer
                other.close()
                save(2)
                assert os.listdir(folder) == ["a.mla"]
            assert len(os.listdir("/proc/self/fd")) == before
        print(*sorted(succeeded), sep=", ")
    """
    printed = _run(tmp_path / "a.mla", script)
    assert printed == (
        "create, flush None, flush durable, flush ordered, load, open, open r+, save, "
        "save over, save verified\n"
    )


def test_without_memory(tmp_path: Path) -> None:
    script = """
        import ctypes

        # What is freed goes back to the system, so that a limit is felt.
        glibc = ctypes.CDLL(None)
        give_back = getattr(glibc, "malloc_trim", int)
        getattr(glibc, "mallopt", min)(-3, 1 << 16)  # M_MMAP_THRESHOLD, which grows else

        def memory():
            return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

        big = (128, 128, 128)  # 4 MiB
        noise = np.random.default_rng(1).integers(0, 30_000, big, "i2")
        states = {1: noise, 2: noise + 1, 3: noise + 2}
        layout = {"chunk_size": (16, 128, 128), "block_size": (4, 64, 128)}

        def begin(number):
            MLArray(states[number]).save(path, **layout)

        def found():
            with MLArray.open(path, verify=True) as image:
                voxels = image[...]
            return next(n for n, state in states.items() if (voxels == state).all())

        def read():
            with MLArray.open(path) as image:
                assert (image[...] == states[1]).all()

        def edit():
            with MLArray.open(path, mmap="r+") as image:
                image[...] = states[2]

        def save_over():
            MLArray(states[2]).save(path, verify=True, **layout)

        def save_over_own():
            with MLArray.open(path, mmap="r+") as image:
                image[...] = states[2]
                image.save(path)
                image[...] = states[3]

        begin(1)
        edit()  # imports and starts what is started late
        outcomes = {"done": 0, "refused": 0}
        for call in (read, edit, save_over, save_over_own):
            for more in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 48, 400):
                begin(1)
                child = os.fork()
                if child == 0:
                    signal.alarm(30)
                    give_back(0)  # what the heap has in reserve
                    limit = memory() + (more << 20) // 2
                    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                    code = 0
                    try:
                        call()
                    except MemoryError:
                        code = 1
                    except OSError as error:
                        code = 1 if error.errno in (errno.ENOMEM, errno.EAGAIN) else 2
                        if code == 2:
                            os.write(2, str(error).encode())
                    except BaseException as error:
                        os.write(2, repr(error).encode())
                        code = 3
                    os._exit(code)
                status = os.waitpid(child, 0)[1]
                code = os.waitstatus_to_exitcode(status)
                assert code in (0, 1), (call.__name__, more, code)
                last = {read: 1, edit: 2, save_over: 2, save_over_own: 3}[call]
                assert found() == last if code == 0 else found() <= last, (call.__name__, more)
                outcomes["refused" if code else "done"] += 1
        begin(1)  # removes what children left that were refused
        assert outcomes["done"] >= 4, outcomes
        assert outcomes["refused"] >= 8, outcomes
    """
    _run(tmp_path / "a.mla", script)
    assert os.listdir(tmp_path) == ["a.mla"]


# --- processors -------------------------------------------------------------------------------


def test_threads_that_are_moved_to_other_processors(tmp_path: Path) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("this process may run on one processor only")
    script = """
        import threading, time
        save(1)
        allowed = os.sched_getaffinity(0)
        image = MLArray.open(path, num_threads=2)
        stop = False

        def read():
            while not stop:
                assert image[0, 0, 0] == 1 and (image[...] == 1).all()
                time.sleep(0.0005)  # so that workers fall asleep, and are woken

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.1)

        def threads():
            return [int(name) for name in os.listdir("/proc/self/task")]

        assert len(threads()) >= 3  # this one, the reader, a worker
        one = {min(allowed)}
        other = {max(allowed)}
        for wanted in (one, other, allowed, one, allowed):
            # A thread that is woken in this very moment may be missed, hence twice.
            for attempt in range(5):
                for thread in threads():
                    os.sched_setaffinity(thread, wanted)
                time.sleep(0.05)
                sets = [os.sched_getaffinity(thread) for thread in threads()]
                if all(found == wanted for found in sets):
                    break
            else:
                raise AssertionError((wanted, sets))
        stop = True
        reader.join()
    """
    _run(tmp_path / "a.mla", script)


def test_threads_whose_cpuset_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = Path("/sys/fs/cgroup/cpuset")
    ours = groups / f"mlarray-test-{os.getpid()}"
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        pytest.skip("this process may run on one processor only")
    try:
        ours.mkdir()
        (ours / "cpuset.mems").write_text((groups / "cpuset.mems").read_text())
        (ours / "cpuset.cpus").write_text(",".join(map(str, processors)))
    except OSError as error:
        pytest.skip(f"no cpuset can be made here: {error}")
    script = """
        import time
        ours = Path(os.environ["MLARRAY_TEST_CPUSET"])
        (ours / "cgroup.procs").write_text(str(os.getpid()))
        save(1)
        allowed = sorted(os.sched_getaffinity(0))
        image = MLArray.open(path, num_threads=2)

        def sets():
            end = time.monotonic() + 0.06
            while time.monotonic() < end:
                assert (image[...] == 1).all()
                time.sleep(0.0005)
            return [os.sched_getaffinity(int(n)) for n in os.listdir("/proc/self/task")]

        sets()
        for wanted in ([allowed[0]], allowed, [allowed[-1]], allowed):
            (ours / "cpuset.cpus").write_text(",".join(map(str, wanted)))
            found = sets()
            assert all(one == set(wanted) for one in found), (wanted, found)
    """
    monkeypatch.setenv("MLARRAY_TEST_CPUSET", str(ours))
    try:
        _run(tmp_path / "a.mla", script)
    finally:
        ours.rmdir()


# --- savers -----------------------------------------------------------------------------------


def test_savers_of_one_path(tmp_path: Path) -> None:
    script = """
        import threading
        ROUNDS = 12
        save(0)
        children = []
        for process in range(3):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    def many(thread):
                        for i in range(ROUNDS):
                            save(1000 * process + 100 * thread + i, level="none")
                            done.append(i)
                    done = []
                    threads = [threading.Thread(target=many, args=(t,)) for t in range(2)]
                    for one in threads: one.start()
                    for one in threads: one.join()
                    code = 0 if len(done) == 2 * ROUNDS else 2
                finally:
                    os._exit(code)
            children.append(child)
        seen = set()
        reader = MLArray.open(path, verify=True)
        while children:
            seen.add(number_in())
            reader.refresh()
            voxels = reader[...]
            assert (voxels == voxels.flat[0]).all()
            for child in list(children):
                if os.waitpid(child, os.WNOHANG) != (0, 0):
                    children.remove(child)
        print(len(seen) > 3, number_in() % 100)
    """
    assert _run(tmp_path / "a.mla", script) == "True 11\n"
    assert os.listdir(tmp_path) == ["a.mla"]
    with MLArray.open(tmp_path / "a.mla") as image:
        assert image.verify().status == "verified"


# --- file systems -----------------------------------------------------------------------------


USE = """
import subprocess

def use():
    "Everything that a file goes through, a kill included."
    number = number_in() if os.path.exists(path) else 0
    if number:
        with MLArray.open(path, mmap="r+") as image:  # first of all an edit in place
            image[...] = number + 1
            image.meta.source["number"] = number + 1
        number += 1
        assert number_in() == number
    for level in ("none", "ordered", "durable"):
        number += 1
        save(number, level=level)
        assert number_in() == number
        reader = MLArray.open(path, verify=True)
        change(number + 1, level=level)
        assert (reader[...] == number).all() and reader.refresh()
        assert (reader[...] == number + 1).all()
        image = MLArray.open(path, mmap="r+", level=level)
        image[...] = number + 2
        image.meta.source["number"] = number + 2
        image.save(path, level=level)
        image[...] = number + 3
        image.meta.source["number"] = number + 3
        image.flush(level=level)
        image.close()
        number += 3
        assert number_in() == number
        child = os.fork()
        if child == 0:
            image = MLArray.open(path, mmap="r+")
            image[...] = number + 1
            image.meta.source["number"] = number + 1
            image.flush(level=level)
            image[...] = 9999
            os.kill(os.getpid(), signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        number += 1
        assert number_in() == number
        change(number + 1)
        number += 1
        assert number_in() == number
        with MLArray.open(path) as image:
            assert image.verify().status == "verified"
    assert os.listdir(folder) == ["a.mla"]

def mount(*words):
    subprocess.run(["mount", *words], check=True, capture_output=True)
"""


def _mounted(path: Path, script: str) -> None:
    """Run a script that may mount; nobody else sees what it mounts."""
    apart = ("unshare", "--mount", "--propagation", "private")
    target = path.parent / "probe"
    target.mkdir()
    probe = ["sh", "-c", f"mount -t tmpfs none {target}"]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare, by which file systems are mounted unseen")
    tried = subprocess.run([*apart, *probe], capture_output=True, text=True, check=False)
    target.rmdir()
    if tried.returncode != 0:
        pytest.skip(f"this user may not mount file systems: {tried.stderr.strip()}")
    _run(path, USE + textwrap.dedent(script), *apart)


def test_memory_and_read_only_file_systems(tmp_path: Path) -> None:
    script = """
        mount("-t", "tmpfs", "none", folder)
        use()
        number = number_in()
        mount("-o", "remount,ro", folder)
        assert number_in() == number
        fails(lambda: MLArray.open(path, mmap="r+"), errno.EROFS)
        fails(lambda: save(9), errno.EROFS)
        new = folder + "/new.mla"
        fails(lambda: save(9, new), errno.EROFS, new)
        fails(lambda: MLArray.create(new, 3, "u1"), errno.EROFS, new)
        assert number_in() == number
    """
    _mounted(tmp_path / "a.mla", script)


def test_an_overlay(tmp_path: Path) -> None:
    script = """
        mount("-t", "tmpfs", "none", folder)
        layers = [os.path.join(folder, name) for name in ("lower", "upper", "work", "all")]
        for one in layers:
            os.mkdir(one)
        lower, upper, work, folder = layers
        base, path = lower + "/a.mla", folder + "/a.mla"
        save = lambda number, to=path, **options: constant(number).save(to, **CHUNKS, **options)
        whole, number_in = number_in, lambda name=path: whole(name)
        save(1, base)
        before = Path(base).read_bytes()
        try:
            mount("-t", "overlay", "none", "-o",
                  f"lowerdir={lower},upperdir={upper},workdir={work}", folder)
        except subprocess.CalledProcessError as error:
            print("no overlay:", error.stderr.decode())
            sys.exit()
        # A reader of the lower layer's file keeps that when the first edit copies it.
        old = MLArray.open(path, verify=True)
        use()
        assert (old[...] == 1).all()
        assert Path(base).read_bytes() == before
        assert old.refresh() and (old[...] != 1).all()
    """
    _mounted(tmp_path / "a.mla", script)


def test_a_full_disk(tmp_path: Path) -> None:
    script = """
        mount("-t", "tmpfs", "-o", "size=1m", "none", folder)
        noise = np.random.default_rng(1).integers(0, 30_000, (8, 100, 150), "i2")  # 240 kB
        layout = {"chunk_size": (1, 100, 150), "block_size": (1, 50, 150)}

        def free():
            found = os.statvfs(folder)
            return found.f_bavail * found.f_bsize

        def large(to):
            MLArray(np.concatenate([noise] * 6)).save(to, **layout)

        MLArray(noise).save(path, **layout)
        room = free()
        other = folder + "/b.mla"
        for name in (path, other):
            fails(lambda: large(name), errno.ENOSPC, name)
            assert os.listdir(folder) == ["a.mla"]
            assert free() == room
        # Edits until it is full: the space comes back when the image is closed.
        image = MLArray.open(path, mmap="r+")
        image[0] = 1
        image.flush()

        def fill():
            for i in range(100):
                image[...] = np.roll(noise, i + 1)

        fails(fill, errno.ENOSPC)
        reader = MLArray.open(path, verify=True)
        assert (reader[0] == 1).all() and (reader[1:] == noise[1:]).all()
        reader.close()
        fails(image.close, errno.ENOSPC)
        assert free() >= room - 65536, (free(), room)
        # A writer that finds no room for rewriting the file closes well.
        with MLArray.open(path, mmap="r+") as image:
            for i in range(2):
                image[...] = np.roll(noise, i)
                image.flush()
            with open(other, "wb") as rest:
                rest.write(bytes(free() // 4096 * 4096))
            assert free() == 0
        os.remove(other)
        with MLArray.open(path, mmap="r+") as image:
            assert (image[...] == np.roll(noise, 1)).all()
            image[0] = 2
        assert free() > room - 65536, (free(), room)
        with MLArray.open(path) as image:
            assert (image[0] == 2).all()
            assert image.verify().status == "verified"
        assert os.listdir(folder) == ["a.mla"]
    """
    _mounted(tmp_path / "a.mla", script)
