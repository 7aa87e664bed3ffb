"""`mlarray convert` with several files: names, existing outputs, progress, Ctrl-C, JSON."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mlarray import MLArray
from mlarray.cli.main import main

PROGRAM = [sys.executable, "-m", "mlarray.cli.main", "convert"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    (path / "below").mkdir(parents=True)
    for number, name in enumerate(["a.nii.gz", "b.nii", "below/c.nii.gz"]):
        voxels = np.full((4, 5, 6), number, np.int16)
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path / name)
    (path / "notes.txt").write_text("no image")
    return path


def names(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder(folder: Path, tmp_path: Path, jobs: int) -> None:
    out = tmp_path / "new" / "out"
    result = run("-j", jobs, folder, out)
    assert result.returncode == 0
    assert names(out) == ["a.mla", "b.mla"]
    assert MLArray(out / "b.mla")[0, 0, 0] == 1
    assert len(result.stdout.splitlines()) == 2
    # Plain lines of progress: stderr is no terminal.
    assert [line[:5] for line in result.stderr.splitlines()] == ["[1/2]", "[2/2]"]
    assert "\r" not in result.stderr


def test_folders_below_are_kept(folder: Path, tmp_path: Path) -> None:
    assert run("-q", "-r", folder, tmp_path / "out").stderr == ""
    assert names(tmp_path / "out") == ["a.mla", "b.mla", "below/c.mla"]
    result = run("-r", "--to", "nii.gz", tmp_path / "out", tmp_path / "back")
    assert result.returncode == 0
    assert names(tmp_path / "back") == ["a.nii.gz", "b.nii.gz", "below/c.nii.gz"]


def test_an_output_that_exists(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = str(folder / "a.nii.gz"), folder / "out.mla"
    target.write_text("precious")
    assert main(["convert", source, str(target)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["convert", "--skip-existing", source, str(target)]) == 0
    assert "exists, skipped" in capsys.readouterr().out
    assert target.read_text() == "precious"
    assert main(["convert", "--overwrite", source, str(target)]) == 0
    assert MLArray(target).shape == (4, 5, 6)


def test_one_bad_file_does_not_stop_the_others(folder: Path, tmp_path: Path) -> None:
    (folder / "a.nii.gz").write_bytes(b"junk")
    result = run("--json", folder, tmp_path / "out")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert [Path(item["source"]).name for item in report["converted"]] == ["b.nii"]
    (failed,) = report["failed"]
    assert failed["source"] == str(folder / "a.nii.gz")
    assert failed["error"] in result.stderr
    assert "mlarray: 1 of 2 files failed" in result.stderr
    assert names(tmp_path / "out") == ["b.mla"]


def test_json_of_one_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder / "out.mla"
    assert main(["convert", "--json", str(folder / "b.nii"), str(target)]) == 0
    (done,) = json.loads(capsys.readouterr().out)["converted"]
    assert done["target"] == str(target)
    assert done["shape"] == [4, 5, 6]
    assert done["target_bytes"] == target.stat().st_size


def test_two_inputs_never_share_an_output(folder: Path, tmp_path: Path) -> None:
    (folder / "a.nii").write_bytes((folder / "b.nii").read_bytes())
    result = run(folder, tmp_path / "out")
    assert result.returncode == 1
    assert "would both become" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["missing", "out"], "missing"),
        (["in/below/c.nii.gz", "in/a.nii.gz", "out.mla"], "name a folder"),
        (["--to", ".nrrd", "in", "out"], "no file that ends in .mla"),
    ],
)
def test_nothing_to_do(
    arguments: list[str], text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    result = run(*arguments)
    assert result.returncode == 1
    assert text in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_terminal_gets_a_bar(folder: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, str(folder), str(tmp_path / "out")], stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    stdout, _ = process.communicate()
    assert process.returncode == 0
    text = shown.decode()
    assert "[........................] 0/2" in text
    assert "[########################] 2/2" in text
    assert text.endswith("\r\x1b[K")  # the bar is gone at the end
    assert stdout.count(b"\n") == 2
    assert b"\r" not in stdout


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_cleanly(jobs: int, tmp_path: Path) -> None:
    pipes = [tmp_path / f"{name}.nrrd" for name in "ab"]
    for pipe in pipes:
        os.mkfifo(pipe)
    process = subprocess.Popen(
        [*PROGRAM, "-j", str(jobs), *map(str, pipes), str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background of a shell ignores it, and its children would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # Opening waits for the reader, which then waits for what never comes.
    writers = [pipe.open("wb") for pipe in pipes[:jobs]]
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    for writer in writers:
        writer.close()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "mlarray: interrupted"
    assert "Traceback" not in stderr
    assert names(tmp_path / "out") == []
