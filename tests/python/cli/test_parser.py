"""Wrong command lines: the command's own usage, and the word that was probably meant."""

from __future__ import annotations

import pytest

from mlarray.cli import convert, header
from mlarray.cli.main import main


@pytest.mark.parametrize(
    ("line", "usage", "error"),
    [
        (
            "convert --patchsize 64 a.nii b.mla",
            "usage: mlarray convert",
            "there is no option --patchsize; did you mean --patch-size?",
        ),
        ("tune --pach 64 a", "usage: mlarray tune", "--pach; did you mean --patch?"),
        ("tune --pach=64 a", "usage: mlarray tune", "--pach; did you mean --patch?"),
        ("ls --xyzzy", "usage: mlarray ls", "there is no option --xyzzy\n"),
        ("ls -z", "usage: mlarray ls", "there is no option -z"),
        ("header a.mla b.mla", "usage: mlarray header", "one argument too many: b.mla"),
        ("convertt a b", "usage: mlarray [-h]", "did you mean convert?"),
        ("--vershun", "usage: mlarray [-h]", "did you mean --version?"),
        ("repack --preset smaller a", "usage: mlarray repack", "did you mean small?"),
    ],
)
def test_unknown_words(
    line: str, usage: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(line.split())
    printed = capsys.readouterr().err
    assert printed.startswith(usage)
    assert error in printed


def test_the_older_programs(capsys: pytest.CaptureFixture[str]) -> None:
    for program in (convert.main, header.main):
        with pytest.raises(SystemExit, match="2"):
            program(["--jsn", "a", "b"])
        assert "did you mean --json?" in capsys.readouterr().err


def test_what_argparse_takes_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """Abbreviations, and all that follows two hyphens."""
    assert main(["ls", "--rec", "no-such-folder"]) == 1
    assert main(["ls", "--", "--recursiv"]) == 1
    assert "'--recursiv': no such file or folder" in capsys.readouterr().err
