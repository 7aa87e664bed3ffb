"""The other side: runs in a venv with somebody else's package, under that Python.

Reads one JSON object per line, {"do": name, ...}, and answers each with one line. Voxels
travel as .npy files. It must not import anything of ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from typing import Any

import blosc2
import numpy as np


def _box(start: list[int], stop: list[int]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(start, stop, strict=True))


def versions() -> dict[str, str]:
    """Return which packages answer here."""
    found = {"blosc2": blosc2.__version__}
    with contextlib.suppress(ImportError):
        import mlarray

        found["mlarray"] = mlarray.__version__
    return found


# --- python-blosc2 ------------------------------------------------------------------------


def read(path: str, out: str, mmap_mode: str | None = None) -> dict[str, Any]:
    """Read a file as python-blosc2 does."""
    array = blosc2.open(path, mode="r", mmap_mode=mmap_mode)
    np.save(out, np.asarray(array[()]))
    # Releases differ in whether these names are text.
    everything = {
        name.decode() if isinstance(name, bytes) else name: value
        for name, value in array.vlmeta.getall().items()
    }
    return {
        "shape": array.shape,
        "chunks": array.chunks,
        "blocks": array.blocks,
        "names": sorted(array.vlmeta),
        "all_names": sorted(everything),
        "other": everything.get("other"),
    }


def read_parts(path: str, out: str, boxes: list[Any], mmap_mode: str | None) -> None:
    """Read boxes, and every block by itself: both without the rest of its chunk."""
    array = blosc2.open(path, mode="r", mmap_mode=mmap_mode)
    np.savez(out, *[np.asarray(array[_box(start, stop)]) for start, stop in boxes])
    schunk = array.schunk
    items, block = schunk.chunkshape, schunk.blocksize // schunk.typesize
    for number in range(schunk.nchunks):
        chunk = schunk.decompress_chunk(number)
        for start in range(0, items, block):
            first, stop = start * schunk.typesize, (start + block) * schunk.typesize
            alone = schunk.get_slice(number * items + start, number * items + start + block)
            if bytes(alone) != chunk[first:stop]:
                raise AssertionError(f"chunk {number}, from item {start}")


def read_chunks(path: str, out: str) -> None:
    """Decode every chunk as a whole, with one thread: for DELTA see docs/upstream.md."""
    array = blosc2.open(path, mode="r")
    array.schunk.dparams = blosc2.DParams(nthreads=1)
    padded = [-(-n // c) * c for n, c in zip(array.shape, array.chunks, strict=True)]
    voxels = np.empty(padded, array.dtype)
    grid = [n // c for n, c in zip(padded, array.chunks, strict=True)]
    blocks = [-(-c // b) for c, b in zip(array.chunks, array.blocks, strict=True)]
    axes = [axis for i in range(array.ndim) for axis in (i, array.ndim + i)]
    for number, place in enumerate(np.ndindex(*grid)):
        data = np.frombuffer(array.schunk.decompress_chunk(number), array.dtype)
        chunk = data.reshape([*blocks, *array.blocks]).transpose(axes)
        chunk = chunk.reshape([n * b for n, b in zip(blocks, array.blocks, strict=True)])
        box = tuple(slice(i * c, i * c + c) for i, c in zip(place, array.chunks, strict=True))
        voxels[box] = chunk[tuple(slice(c) for c in array.chunks)]
    np.save(out, voxels[tuple(slice(n) for n in array.shape)])


def voxels_of_damaged(path: str, out: str) -> None:
    """Read the voxels alone, in a process that may crash or hang."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            np.save(out, np.asarray(blosc2.open(path, mode="r")[()]))
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"status {status}")


def edit(
    path: str,
    start: list[int],
    stop: list[int],
    values: str,
    other: Any = None,
    threads: int | None = None,
) -> None:
    """Replace a box, and write an entry of metadata that is not ours."""
    before = blosc2.nthreads if threads is None else blosc2.set_nthreads(threads)
    try:
        array = blosc2.open(path, mode="a")
        array[_box(start, stop)] = np.load(values)
    finally:
        blosc2.set_nthreads(before)
    if other is not None:
        array.vlmeta["other"] = other


def make(path: str, values: str, out: str, cparams: dict[str, Any], **layout: Any) -> None:
    """Write a file, and say how python-blosc2 itself reads it back."""
    parsed = dict(cparams)
    if "codec" in parsed:
        parsed["codec"] = blosc2.Codec[parsed["codec"]]
    if "filters" in parsed:
        parsed["filters"] = [blosc2.Filter[name] for name in parsed["filters"]]
    if "splitmode" in parsed:
        parsed["splitmode"] = blosc2.SplitMode[parsed["splitmode"]]
    blosc2.asarray(np.load(values), urlpath=path, mode="w", cparams=parsed, **layout)
    np.save(out, np.asarray(blosc2.open(path, mode="r")[()]))


def special(path: str, kind: str, shape: list[int], dtype: str, out: str, **more: Any) -> None:
    """Write a file whose chunks are no data but a word for it."""
    arguments = {"urlpath": path, "mode": "w", "dtype": np.dtype(dtype), **more}
    if kind == "full":
        blosc2.full(shape, 7, **arguments)
    else:
        getattr(blosc2, kind)(shape, **arguments)
    np.save(out, np.asarray(blosc2.open(path, mode="r")[()]))


# --- the reference ------------------------------------------------------------------------


def _open(path: str, mmap_mode: str | None) -> Any:
    import mlarray

    if mlarray.__version__ == "0.0.33":
        return mlarray.MLArray.open(path, mmap=mmap_mode)
    if mmap_mode is None:
        return mlarray.MLArray.open(path, mode="a", mmap_mode=None)
    return mlarray.MLArray.open(path, mmap_mode=mmap_mode)


def _image(path: str, mapped: bool) -> Any:
    import mlarray

    return _open(path, "r") if mapped else mlarray.MLArray(path)


def reference_read(path: str, out: str, mapped: bool) -> dict[str, Any]:
    """Open a file memory-mapped, or load it whole, as the reference does."""
    image = _image(path, mapped)
    np.save(out, np.asarray(image.to_numpy()))
    return image.meta.to_mapping()


def reference_save(path: str, values: str) -> None:
    """Write a file as the reference does."""
    import mlarray

    mlarray.MLArray(np.load(values)).save(path)


def reference_metadata(path: str, mapped: bool) -> dict[str, Any]:
    """Read metadata only: asking the reference for voxels that are not there is an error."""
    return _image(path, mapped).meta.to_mapping()


def reference_edit(
    path: str,
    mmap_mode: str | None,
    start: list[int],
    stop: list[int],
    values: str,
    spacing: list[float],
    extra: dict[str, Any],
) -> dict[str, Any]:
    """Edit voxels and metadata in place."""
    image = _open(path, mmap_mode)
    image[_box(start, stop)] = np.load(values)
    image.meta.spatial.spacing = spacing
    image.meta.extra["edited"] = extra
    mapping = image.meta.to_mapping()
    image.close()
    return mapping


ACTIONS = {
    action.__name__: action
    for action in (
        versions,
        read,
        read_parts,
        read_chunks,
        voxels_of_damaged,
        edit,
        make,
        special,
        reference_read,
        reference_save,
        reference_metadata,
        reference_edit,
    )
}


def main() -> None:
    """Answer until the input ends. Only answers may be on the output."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = json.dumps({"result": ACTIONS[request.pop("do")](**request)})
        except Exception:
            answer = json.dumps({"error": traceback.format_exc()})
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
