"""The files of one ``mlarray convert``: which there are, and running them."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

from .._settings import set_num_threads
from ..convert import SUFFIXES, TARGETS, Report, convert, split_suffix
from ..errors import InvalidUseError, MLArrayError, NotFoundError
from ._run import describe

__all__ = ["Job", "Outcome", "plan", "run_jobs"]


class Job(NamedTuple):
    """One file to convert."""

    source: str
    target: str


class Outcome(NamedTuple):
    """What became of a job: a report or an error, or neither if it was skipped."""

    job: Job
    report: Report | None
    error: str | None


def plan(inputs: list[str], output: str, suffix: str | None, recursive: bool) -> list[Job]:
    """The jobs of a command line.

    Parameters
    ----------
    inputs : list of str
        Files and folders.
    output : str
        The file to write, or with several inputs, or a folder among them, a folder.
    suffix : str, optional
        Format of files in the folder; default ``.mla``.
    recursive : bool
        Folders below the inputs too; the outputs keep the folders.

    Raises
    ------
    InvalidUseError
        Without anything to convert, and if two inputs had the same output.
    NotFoundError
        For an input that does not exist.
    """
    named = split_suffix(output)[1] != "" and not os.path.isdir(output)
    if len(inputs) == 1 and not os.path.isdir(inputs[0]) and (named or not suffix):
        if not os.path.isdir(output):
            return [Job(inputs[0], output)]
    elif named:
        raise InvalidUseError(
            f"'{output}' is the name of one file, but a folder, or several files, are "
            f"converted: name a folder"
        )
    wanted = suffix or ".mla"
    jobs = []
    for source, relative in _sources(inputs, wanted, recursive):
        stem = split_suffix(relative)[0]
        jobs.append(Job(source, os.path.join(output, stem + wanted)))
    if not jobs:
        kinds = SUFFIXES[:-1] if wanted == ".mla" else (".mla",)
        below = "" if recursive else " (-r looks into folders below)"
        raise InvalidUseError(
            f"'{inputs[0]}': no file that ends in {', '.join(kinds)} to convert{below}"
        )
    seen: dict[str, str] = {}
    for job in jobs:
        if job.target in seen:
            raise InvalidUseError(
                f"'{seen[job.target]}' and '{job.source}' would both become '{job.target}': "
                f"convert one of them on its own"
            )
        seen[job.target] = job.source
    return jobs


def _sources(inputs: list[str], wanted: str, recursive: bool) -> Iterator[tuple[str, str]]:
    """Path of each input, and its path below the folder that was named."""
    for path in inputs:
        if not os.path.isdir(path):
            if not os.path.lexists(path):
                raise NotFoundError(f"'{path}': no such file or folder", path=path)
            yield path, os.path.basename(path)
            continue
        for folder, folders, files in os.walk(path, onerror=_refuse):
            folders.sort()
            if not recursive:
                folders.clear()
            for name in sorted(files):
                kind = split_suffix(name)[1]
                if kind and (kind == ".mla") != (wanted == ".mla"):
                    file = os.path.join(folder, name).removeprefix("." + os.sep)
                    yield file, os.path.relpath(file, path)


def _refuse(error: OSError) -> None:
    """A folder that cannot be read: `os.walk` would go on as if it were empty."""
    raise error


def run_jobs(
    jobs: list[Job], options: dict[str, Any], existing: str, workers: int
) -> Iterator[Outcome]:
    """Run jobs and hand over each outcome as it comes.

    Parameters
    ----------
    jobs : list of Job
        What to do.
    options : dict
        Passed on to `mlarray.convert.convert` where the target is ``.mla``.
    existing : {'refuse', 'replace', 'skip'}
        What to do where the target exists.
    workers : int
        Processes; 1 is this one.
    """
    if workers == 1:
        for job in jobs:
            yield _run(job, options, existing)
        return
    # Fresh processes: a fork would take the threads' locks along, and this one is small.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, _start_worker, (workers,))
    try:
        futures = {pool.submit(_run_in_worker, job, options, existing): job for job in jobs}
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(workers: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # between jobs; the main process decides
    set_num_threads(max(1, (os.cpu_count() or 1) // workers))


def _run_in_worker(job: Job, options: dict[str, Any], existing: str) -> Outcome:
    # Ctrl-C reaches every process of the terminal: here it ends the job, which cleans up.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _run(job, options, existing)
    except KeyboardInterrupt:
        return Outcome(job, None, "interrupted")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(job: Job, options: dict[str, Any], existing: str) -> Outcome:
    try:
        if os.path.lexists(job.target) and existing != "replace":
            if existing == "skip":
                return Outcome(job, None, None)
            raise InvalidUseError(
                f"'{job.target}' exists: --overwrite replaces it, --skip-existing leaves it"
            )
        return Outcome(job, convert(job.source, job.target, **options), None)
    except (MLArrayError, OSError, MemoryError) as error:
        return Outcome(job, None, describe(error))


def check_suffix(text: str) -> str:
    """A value of ``--to``: the suffix of a format that can be written."""
    suffix = text if text.startswith(".") else f".{text}"
    if suffix not in TARGETS:
        raise ValueError(text)
    return suffix
