"""Doing the same to many files on threads of this process, with progress on stderr."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from .. import _core
from ..errors import InvalidUseError, MLArrayError, NotFoundError
from ._progress import Progress
from ._run import describe, printable

__all__ = [
    "add_jobs",
    "add_paths",
    "at_least_one",
    "errors_told",
    "find_files",
    "find_to_rewrite",
    "for_each",
    "images",
    "make_folder",
    "shared_out",
]

Result = TypeVar("Result")
_SUFFIXES = (".mla", ".b2nd")


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that take files and folders."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file or a folder")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders in folders too")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that work on several files at once, with progress."""
    parser.add_argument(
        "-j",
        "--jobs",
        type=at_least_one,
        default=1,
        metavar="N",
        help="so many files at once; all processors work in any case (default: 1)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def images(
    path: str, recursive: bool, refused: Callable[[OSError], None] | None = None
) -> Iterator[str]:
    """The path of each image, sorted; a file that is named is taken as it is.

    Parameters
    ----------
    path : str
        A file or folder.
    recursive : bool
        Folders in folders too.
    refused : callable, optional
        Called with the error of a folder that cannot be read, which is else raised.
    """
    if not os.path.isdir(path):
        if not os.path.lexists(path):
            raise NotFoundError(f"'{path}': no such file or folder", path=path)
        yield path
        return
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        if refused is None:
            raise
        refused(error)
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from images(entry.path, recursive, refused)
        elif entry.name.endswith(_SUFFIXES):
            yield entry.path.removeprefix("." + os.sep)


def find_files(paths: Sequence[str], recursive: bool) -> list[str]:
    """The images of a command line, each once.

    Raises
    ------
    NotFoundError
        If there are none.
    """
    files = list(dict.fromkeys(file for path in paths for file in images(path, recursive)))
    if not files:
        below = "" if recursive else " (-r looks into folders below)"
        raise NotFoundError(f"'{paths[0]}': no .mla or .b2nd files{below}", path=paths[0])
    return files


def find_to_rewrite(paths: Sequence[str], recursive: bool) -> list[str]:
    """Of folders only the files that `mlarray.repack` takes; what is named, as it is.

    Raises
    ------
    NotFoundError
        If there are none.
    """
    found = find_files(paths, recursive)
    files = [path for path in found if path.endswith(".mla") or path in paths]
    if not files:
        raise NotFoundError(f"'{paths[0]}': no .mla files", path=paths[0])
    return files


def make_folder(path: str) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    InvalidUseError
        If a file has its name.
    OSError
        If it cannot be made.
    """
    try:
        os.makedirs(path or ".", exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidUseError(
            f"'{path}' cannot be a folder, because it or a part of its path is a file; name "
            f"another folder, or remove the file"
        ) from None


def for_each(
    files: Sequence[str],
    at_once: int,
    work: Callable[[str], Result],
    *,
    quiet: bool = False,
    interrupt: Callable[[], None] = lambda: None,
) -> list[Result | str]:
    """Call `work` with each file.

    Parameters
    ----------
    files : sequence of str
        Paths.
    at_once : int
        Threads.
    work : callable
        Its errors are results.
    quiet : bool
        No progress.
    interrupt : callable
        Ends the work in progress after Ctrl-C.

    Returns
    -------
    list
        In the order of `files`: what `work` returned, or the text of its error.
    """
    sizes = [os.path.getsize(path) if os.path.exists(path) else 0 for path in files]

    def guarded(path: str) -> Result | str:
        try:
            return work(path)
        except (MLArrayError, OSError, MemoryError) as error:
            return describe(error)

    with (
        ThreadPoolExecutor(at_once) as pool,
        Progress(len(files), sum(sizes), quiet) as progress,
    ):
        futures = {pool.submit(guarded, path): i for i, path in enumerate(files)}
        try:
            for future in as_completed(futures):
                i = futures[future]
                progress.end(files[i], sizes[i])
        except BaseException:  # Ctrl-C: no thread goes on
            interrupt()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def shared_out(jobs: int, files: Sequence[str]) -> tuple[int, int]:
    """How many of the files at once, and how many threads each of them then gets."""
    at_once = min(jobs, len(files))
    return at_once, max(1, _core.num_threads() // at_once)


def errors_told(results: Sequence[object]) -> int:
    """Print those results of `for_each` that are errors to stderr, and count them."""
    errors = [result for result in results if isinstance(result, str)]
    for error in errors:
        print(f"mlarray: error: {printable(error)}", file=sys.stderr, flush=True)
    return len(errors)


def at_least_one(text: str) -> int:
    """A number of jobs or threads on the command line."""
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


at_least_one.__name__ = "number"  # argparse says "invalid number value" by it
