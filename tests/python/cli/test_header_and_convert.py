"""The commands, as a user runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

import mlarray
from mlarray import Meta, MLArray
from mlarray.cli import (
    convert_from_mlarray,
    convert_image,
    convert_to_mlarray,
    print_header,
    read_header,
)
from mlarray.cli.convert import main as convert_main
from mlarray.cli.main import main


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.mla"
    image = MLArray(
        np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6),
        spacing=(1.0, 2.0, 3.0),
        meta=Meta(source={"patient_id": "123", "list": [1, 2]}, is_seg=True),
    )
    image.save(path, chunk_size=(4, 5, 6), block_size=(2, 5, 6))
    return path


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), path)
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlarray.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_header_prints_sorted_json(scan: Path) -> None:
    result = run("header", scan)
    assert (result.returncode, result.stderr) == (0, "")
    header = json.loads(result.stdout)
    assert result.stdout == json.dumps(header, indent=2, sort_keys=True) + "\n"
    # Sections as the reference's mlarray_header prints them.
    assert header["source"] == {"patient_id": "123", "list": [1, 2]}
    assert header["is_seg"] is True
    assert header["_has_array"] is True
    assert header["stats"] is None
    assert header["spatial"]["spacing"] == [1.0, 2.0, 3.0]
    assert header["spatial"]["shape"] == [4, 5, 6]
    assert header["spatial"]["affine"] is None
    assert header["blosc2"]["chunk_size"] == [4, 5, 6]
    # What the container says.
    assert header["array"]["shape"] == [4, 5, 6]
    assert header["array"]["dtype"] == "<i2"
    assert header["array"]["chunks"] == [4, 5, 6]
    assert header["array"]["blocks"] == [2, 5, 6]
    assert header["array"]["file_bytes"] == scan.stat().st_size
    assert header["array"]["sealed"] is True
    assert header["array"]["codec"]["name"] in ("lz4", "lz4hc", "zstd", "blosclz", "zlib")


def test_header_of_a_file_without_metadata(tmp_path: Path) -> None:
    MLArray(np.zeros((3, 4), np.uint8)).save(tmp_path / "plain.b2nd")
    header = read_header(tmp_path / "plain.b2nd")
    assert header["array"]["shape"] == [3, 4]
    assert header["source"] is None
    assert header["spatial"] is None


def test_header_as_a_function(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_header(scan)
    assert json.loads(capsys.readouterr().out) == read_header(scan)
    assert main(["header", str(scan)]) == 0
    assert json.loads(capsys.readouterr().out) == read_header(scan)


@pytest.mark.parametrize("module", ["mlarray.cli.main", "mlarray.cli.header"])
def test_header_does_not_import_numpy(module: str, scan: Path) -> None:
    arguments = [str(scan)] if module.endswith("header") else ["header", str(scan)]
    code = (
        f"import sys; from {module} import main; code = main({arguments!r});"
        "print('numpy' in sys.modules, 'nibabel' in sys.modules, code, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stderr == "False False 0\n"


def test_header_takes_no_longer_for_a_large_file(scan: Path, tmp_path: Path) -> None:
    # 64 GB of voxels, of which none is stored: reading them would take many seconds.
    large = tmp_path / "large.mla"
    MLArray.create(large, (4000, 4000, 2000), "uint16").close()

    def fastest(path: Path) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            assert read_header(path)["array"]["dtype"] in ("<u2", "<i2")
            times.append(time.perf_counter() - start)
        return min(times)

    assert fastest(large) < fastest(scan) + 0.1


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "no such file"), (b"", "not an array file"), (b"x" * 4000, "not an array file")],
)
def test_errors_are_one_line_and_exit_code_1(
    content: bytes | None, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.mla"
    if content is not None:
        path.write_bytes(content)
    result = run("header", path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("mlarray: error: ")
    assert "bad.mla" in result.stderr
    assert text in result.stderr.lower()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["header"],
        ["convert", "in.nii"],
        ["convert", "in.nii", "out.mla", "--patch-size", "big"],
        ["convert", "in.nii", "out.mla", "--level", "10"],
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: mlarray" in capsys.readouterr().err


def test_convert(nifti: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mla"
    result = run("convert", nifti, target)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{nifti} -> {target}: 4 x 5 x 6 int16, ")
    assert MLArray(target).shape == (4, 5, 6)
    assert read_header(target)["blosc2"]["patch_size"] == [192, 192, 192]
    convert_to_mlarray(nifti, tmp_path / "function.mla")
    assert (tmp_path / "function.mla").read_bytes() == target.read_bytes()


def test_convert_passes_its_options_on(nifti: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mla"

    def header(*options: str) -> dict[str, object]:
        assert main(["convert", "--overwrite", str(nifti), str(target), *options]) == 0
        return read_header(target)

    assert header("--patch-size", "2,3,4")["blosc2"]["patch_size"] == [2, 3, 4]
    assert header("--patch-size", "64")["blosc2"]["patch_size"] == [64, 64, 64]
    assert header("--patch-size", "none")["blosc2"]["patch_size"] is None
    sizes = header("--chunk-size", "4,4,4", "--block-size", "2,2,2")["array"]
    assert (sizes["chunks"], sizes["blocks"]) == ([4, 4, 4], [2, 2, 2])
    codec = header("--codec", "zstd", "--level", "3")["array"]["codec"]
    assert (codec["name"], codec["level"]) == ("zstd", 3)


def test_convert_errors(nifti: Path, tmp_path: Path) -> None:
    for source, target, text in [
        (tmp_path / "missing.nii", tmp_path / "out.mla", "no such file"),
        (nifti, tmp_path / "out.npy", "can be converted"),
        (nifti, tmp_path / "missing" / "out.mla", "missing"),
    ]:
        result = run("convert", source, target)
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1
        assert text in result.stderr


def test_programs_are_installed(scan: Path, nifti: Path, tmp_path: Path) -> None:
    scripts = Path(sysconfig.get_path("scripts"))
    for command in (
        ["mlarray", "header", scan],
        ["mlarray_header", scan],
        ["mlarray", "convert", nifti, tmp_path / "a.mla"],
        ["mlarray_convert", nifti, tmp_path / "b.mla"],
        ["mlarray", "--version"],
    ):
        program, *arguments = map(str, command)
        subprocess.run([scripts / program, *arguments], check=True, capture_output=True)
    assert (tmp_path / "a.mla").read_bytes() == (tmp_path / "b.mla").read_bytes()


@pytest.mark.parametrize("command", ["convert", "header", "info", "ls"])
def test_help_has_examples_and_the_page_has_every_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert f"examples:\n  mlarray {command}" in text
    page = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text("utf-8")
    options = set(re.findall(r"--[a-z-]+", text.partition("examples:")[0])) - {"--help"}
    assert "--json" in options
    assert [option for option in options if option not in page] == []


def test_output_may_be_cut_off(scan: Path) -> None:
    program = f"'{sys.executable}' -m mlarray.cli.main header '{scan}'"
    command = f"{program} | head -n 1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False
    )
    assert result.stdout == "{\n"
    assert result.stderr == ""
    assert result.returncode in (0, 141)  # 0: all was written before head had gone


def test_a_reader_that_has_gone_is_no_failure_of_ours(scan: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, "-m", "mlarray.cli.main", "info", str(scan)],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (result.returncode, result.stderr) == (141, "")


def test_names_of_the_older_interface(
    scan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mlarray_header", str(scan)])
    with pytest.raises(SystemExit) as stop:
        mlarray.cli_print_header()
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out) == read_header(scan)
    assert callable(mlarray.cli_convert_to_mlarray)


def test_conversion_functions_of_the_older_interface(nifti: Path, tmp_path: Path) -> None:
    convert_image(nifti, tmp_path / "a.mla")
    convert_from_mlarray(tmp_path / "a.mla", tmp_path / "b.nii.gz")
    convert_image(tmp_path / "a.mla", tmp_path / "c.nii.gz")
    truth = nibabel.load(nifti)
    for name in ("b.nii.gz", "c.nii.gz"):
        back = nibabel.load(tmp_path / name)
        assert back.header == truth.header
        np.testing.assert_array_equal(np.asanyarray(back.dataobj), np.asanyarray(truth.dataobj))


def test_mlarray_convert_replaces_as_it_always_did(nifti: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.mla"
    target.write_text("old")
    assert convert_main([str(nifti), str(target)]) == 0
    assert MLArray(target).shape == (4, 5, 6)
