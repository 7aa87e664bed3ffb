"""No file makes us run code: plug-in codecs and pickled metadata are refused as data."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray

if TYPE_CHECKING:
    from pathlib import Path

# c-blosc2 starts Python and imports these modules for codecs that plug-ins provide.
PLUG_INS = {
    36: "blosc2_openhtj2k",
    37: "blosc2_grok",
    38: "blosc2_openzl",
    39: "blosc2_j2k",
    40: "blosc2_plugin",
}
PLANTED = "open({marker!r}, 'w').close()\n"


def _plant(folder: Path) -> Path:
    """Put modules into the folder that leave a mark when they are imported."""
    marker = folder / "code-has-run"
    for name in PLUG_INS.values():
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(PLANTED.format(marker=str(marker)))
    return marker


def _chunk_starts(data: bytes) -> dict[str, int]:
    """Return where the first data chunk, the index chunk and the metadata chunk start."""
    header_len = int.from_bytes(data[11:15], "big")
    compressed = int.from_bytes(data[39:47], "big")
    trailer_len = int.from_bytes(data[-22:-18], "big")
    trailer = len(data) - trailer_len
    name = data.index(b"\xa7mlarray\xd2", trailer)
    content = trailer + int.from_bytes(data[name + 9 : name + 13], "big")
    return {"data": header_len, "index": header_len + compressed, "metadata": content + 5}


def _name_codec(data: bytes, start: int, codec: int) -> bytes:
    """Make the chunk at `start` name a plug-in codec, and drop the seal."""
    out = bytearray(data)
    out[start + 2] = (out[start + 2] & 0x1F) | 6 << 5  # "user-defined codec"
    out[start + 22] = codec
    out[-17:] = bytes(17)
    return bytes(out)


@pytest.mark.parametrize("codec", PLUG_INS)
@pytest.mark.parametrize("where", ["data", "index", "metadata"])
def test_plug_in_codecs_are_refused_without_running(
    tmp_path: Path, codec: int, where: str
) -> None:
    marker = _plant(tmp_path)
    path = tmp_path / "good.mla"
    voxels = np.arange(60_000, dtype=np.int32).reshape(30, 40, 50)
    MLArray(voxels, meta={"text": "x" * 500}).save(path)
    data = path.read_bytes()
    bad = tmp_path / "bad.mla"
    bad.write_bytes(_name_codec(data, _chunk_starts(data)[where], codec))
    script = (
        "import sys; from mlarray import MLArray; image = MLArray.open(sys.argv[1]); "
        "image[...]; print(dict(image.meta.source))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    result = subprocess.run(
        [sys.executable, "-c", script, str(bad)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1, result.stdout
    assert "codec" in result.stderr.splitlines()[-1]
    assert str(codec) in result.stderr.splitlines()[-1]
    assert not marker.exists(), "a planted module was imported"


class _Command:
    """Unpickled by pickle.loads, it would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def _with_metadata(path: Path, tree: Any) -> None:
    """Replace a file's metadata by a pickle that Python itself makes."""
    payload = gzip.compress(pickle.dumps(tree))
    value = b"\xc6" + len(payload).to_bytes(4, "big") + payload
    size = len(value)
    chunk = (
        bytes([5, 1, 0x07, 1])
        + size.to_bytes(4, "little")
        + size.to_bytes(4, "little")
        + (size + 32).to_bytes(4, "little")
        + bytes(15)
        + b"\x00"
        + value
    )
    data = path.read_bytes()
    trailer = len(data) - int.from_bytes(data[-22:-18], "big")
    name = b"\xa7mlarray\xd2"
    names = b"\xcd" + (6 + len(name) + 4).to_bytes(2, "big") + b"\xde\x00\x01" + name
    at = 2 + 1 + len(names) + 4 + 3
    head = b"\x94\x01\x93" + names + at.to_bytes(4, "big") + b"\xdc\x00\x01"
    body = head + b"\xc6" + len(chunk).to_bytes(4, "big") + chunk
    new = body + b"\xce" + (len(body) + 23).to_bytes(4, "big") + b"\xd8" + bytes(17)
    out = bytearray(data[:trailer] + new)
    out[16:24] = len(out).to_bytes(8, "big")
    path.write_bytes(out)


def test_a_pickle_that_would_run_a_command_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "command-has-run"
    path = tmp_path / "a.mla"
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    MLArray(voxels).save(path)
    _with_metadata(path, {"source": {"data": {"x": _Command(f"touch {marker}"), "id": "7"}}})
    image = MLArray.open(path)
    np.testing.assert_array_equal(image[...], voxels)
    found = image.meta.source["x"]
    assert not marker.exists(), "the command was run"
    assert "system" in repr(found)
    assert image.meta.source["id"] == "7"
    loaded = MLArray(path)
    np.testing.assert_array_equal(loaded.to_numpy(), voxels)
    assert not marker.exists()
    # The same bytes do run the command where they are unpickled: the test can fail.
    pickle.loads(pickle.dumps(_Command(f"touch {marker}")))
    assert marker.exists()


def test_metadata_that_cannot_be_read_does_not_keep_the_voxels(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    MLArray(voxels).save(path)
    deep: Any = "bottom"
    for _ in range(200):
        deep = [deep]
    _with_metadata(path, {"source": {"data": {"deep": deep}}})
    image = MLArray.open(path)
    np.testing.assert_array_equal(image[...], voxels)
    with pytest.raises(RuntimeError, match="deep"):
        _ = image.meta
