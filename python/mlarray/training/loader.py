"""PatchLoader: batches of patches as NumPy arrays."""

from __future__ import annotations

import atexit
import operator
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, overload

import numpy as np

from .. import _core
from .._store.writers import warn
from ..errors import ClosedError, InvalidTypeError, InvalidUseError, InvalidValueError
from ._arguments import truth, whole
from .case import Case, from_core
from .options import (
    LoaderOptions,
    SampleTransform,
    VoxelType,
    folder_and_patch,
    make_core,
    patch_for,
    pipeline_for,
)

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self, Unpack

    from ..typing import PathLike
    from .augment import Pipeline
    from .normalize import Normalize
    from .samplers import Sampler

__all__ = ["OF_SAMPLES", "Batch", "PatchLoader", "Skipped", "Times", "as_arrays", "as_sequence"]

Batch = dict[str, np.ndarray[Any, Any]]

_VERSION = 1  # of what state_dict returns
# Fields of a batch without the axes of the patch.
OF_SAMPLES = (
    "case",
    "box",
    "class",
    "center",
    "index",
    "seed",
    "affine",
    "support",
    "placement",
)


class Skipped(NamedTuple):
    """A case that could not be read."""

    case: int  # its place in the list of cases
    name: str
    error: str


class Times(NamedTuple):
    """Where the time went since a loader was made: seconds, of all threads together."""

    draw: float  # samplers
    open: float  # cases, and indexes of their labels
    read: float  # disk, checksums, decoding
    convert: float  # types, normalisation, padding
    augment: float
    waited: float  # the loop for a batch
    blocked: float  # threads, because enough was read ahead
    samples: int
    voxels_read: int


class PatchLoader:
    """Batches of patches, read and decoded by threads that run no Python.

    Iterating gives the batches of an epoch: dicts of NumPy arrays without a copy
    (docs/training.md has their keys). The next loop is the next epoch; after a ``break``, the
    next loop goes on in the same one, if anything is left of it. One thread iterates at a time.

    Parameters
    ----------
    cases : iterable of Case
        What patches are drawn of.
    patch_size : int or sequence of int
        Voxels along each axis of space.
    batch_size : int
        Samples in a batch.
    sampler : Sampler, optional
        Where patches come from; default: `Uniform`.
    samples_per_epoch : int, optional
        Of all ranks; default: what the sampler lists, else one for each case.
    seed : int
        Of all that is random.
    image_dtype : dtype, 'bfloat16' or 'stored'
        Of images in batches: uint8, int16, int32, int64, float16, float32, float64, bfloat16
        (as uint16), or as in the files. A voxel that does not fit into integers is an error.
    label_dtype : dtype, 'bfloat16' or 'stored'
        The same of label maps.
    normalize : Normalize, optional
        How voxels of images are clipped and scaled.
    padding : {'constant', 'edge', 'reflect'}
        What stands where a box leaves the image.
    image_fill : float
        For 'constant', before normalisation.
    label_fill : float
        What labels are there. nnU-Net: -1.
    mask_padding : bool
        Adds ``"inside"``: 1 where the patch lies in the image.
    slice_axis : int, optional
        Draw 2-D patches out of 3-D cases, perpendicular to this axis of space.
    rank, world_size : int, optional
        Which batches this process gets: ``b % world_size == rank``.
    drop_last : bool
        What does not fill a batch of each rank is dropped, or filled up from the epoch's start.
    threads : int, optional
        Default: the process-wide number.
    prefetch_bytes : int
        So many bytes of batches are read ahead, at least one batch.
    open_cases : int
        Files that are kept open, at most.
    verify : bool, optional
        Whether checksums are verified; default: the process-wide setting.
    index_cache : path, optional
        A folder for indexes of label maps that have none stored.
    joined : sequence of sequence of int
        Classes of several labels, as nnU-Net's regions.
    skip_unreadable : bool
        Draw another sample where a case cannot be read, instead of raising.
    augment : augment.Pipeline, 'nnunet' or 'monai-basic', optional
        What is done to each sample: of the initial patch that it draws, only the voxels that it
        needs are read. Its `patch` is the patch size. Labels are int16.
    augment_raw : bool
        Augment elsewhere: batches are initial patches of which the support is read, around it 0
        and labels of -1; ``batch["support"]`` and ``batch["placement"]`` say where it is, and
        where the voxels of the patch lie.
    transform : callable, optional
        A function of yours for each sample, after all of the above. It gets the sample's part
        of each array of the batch, and changes it in place, or returns what takes its place. It
        runs in the thread that takes the batch, and holds it up by the time it needs.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        For options that do not fit together, or the cases.
    NotFoundError, CorruptionError, UnsupportedError, FileAccessError
        If the first case cannot be read; for others, when their batch comes.

    Examples
    --------
    >>> from mlarray.training import Case, PatchLoader
    >>> loader = PatchLoader([Case("image.mla")], 8, batch_size=2, samples_per_epoch=6)
    >>> len(loader), sum(1 for batch in loader), loader.epoch
    (3, 3, 1)
    >>> loader.close()
    """

    def __init__(
        self,
        cases: Iterable[Case],
        patch_size: int | Sequence[int],
        batch_size: int = 2,
        *,
        sampler: Sampler | None = None,
        samples_per_epoch: int | None = None,
        seed: int = 0,
        image_dtype: DTypeLike | VoxelType = "float32",
        label_dtype: DTypeLike | VoxelType = "stored",
        normalize: Normalize | None = None,
        padding: Literal["constant", "edge", "reflect"] = "constant",
        image_fill: float = 0.0,
        label_fill: float = 0.0,
        mask_padding: bool = False,
        slice_axis: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        drop_last: bool = True,
        threads: int | None = None,
        prefetch_bytes: int = 256 << 20,
        open_cases: int = 128,
        verify: bool | None = None,
        index_cache: PathLike | None = None,
        joined: Sequence[Sequence[int]] = (),
        skip_unreadable: bool = False,
        augment: Pipeline | Literal["nnunet", "monai-basic"] | None = None,
        augment_raw: bool = False,
        transform: SampleTransform | None = None,
    ) -> None:
        options = {
            name: value
            for name, value in locals().items()
            if name in LoaderOptions.__annotations__
        }
        options["batch_size"] = batch_size
        if isinstance(cases, Case):
            raise InvalidTypeError("cases is one Case; give a list of them: [case]")
        if samples_per_epoch == 0:
            raise InvalidValueError("samples_per_epoch=0; it is 1 or more, or None")
        if transform is not None and not callable(transform):
            raise InvalidTypeError(f"transform={transform!r} is no function of a sample")
        if truth(augment_raw, "augment_raw") and augment is None:
            raise InvalidValueError("augment_raw is for what `augment` draws; give that too")
        self._transform = transform
        # Reentrant, because a handler of signals runs inside of what this thread does.
        self._lock = threading.RLock()
        self._closed = False
        cases = as_sequence(cases)
        patch, self._slice_axis = patch_for(
            patch_size, slice_axis, cases, bool(skip_unreadable)
        )
        self.patch_size = tuple(patch)
        self.batch_size = whole(batch_size, "batch_size")
        self._raw = pipeline_for(augment, patch, self._slice_axis) if augment_raw else None
        self._core = make_core(cases, patch, self._slice_axis, options)
        self._bfloat16 = frozenset(
            name
            for name, dtype in (("image", image_dtype), ("label", label_dtype))
            if isinstance(dtype, str) and dtype == "bfloat16"
        )
        _live.add(self)
        self._warn()

    @classmethod
    def from_folder(
        cls,
        images: PathLike,
        labels: PathLike | None = None,
        patch_size: int | Sequence[int] | None = None,
        batch_size: int = 2,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Make a loader of all images in a folder; `cases_from_folder` says which these are.

        Parameters
        ----------
        images : path
            A folder of images, or one that nnU-Net has preprocessed.
        labels : path, optional
            A folder of label maps.
        patch_size : int or sequence of int, optional
            Default: the patch that the first image was saved for.
        batch_size : int
            Samples in a batch.
        **options
            As for the class.

        Returns
        -------
        PatchLoader
            The loader.
        """
        cases, patch = folder_and_patch(images, labels, patch_size, options.get("slice_axis"))
        return cls(cases, patch, batch_size, **options)

    def __iter__(self) -> Iterator[Batch]:
        """The rest of this epoch; where nothing is left of it, the next one."""
        self.leave_finished_epoch()
        while (batch := self.take()) is not None:
            yield batch

    def leave_finished_epoch(self) -> None:
        """Go to the next epoch if all batches of this one were taken: a loop begins.

        So one that ended by ``break`` or ``islice`` at the last batch is followed by a whole
        epoch, and not by a loop without batches.
        """
        with self._lock:
            epoch, done, *_ = self._open.state()
            if done == len(self):
                self._core.set_epoch(epoch + 1)

    def take(self) -> Batch | None:
        """The next batch; None at the end of the epoch, where the next one begins."""
        batch = self._next()
        return None if batch is None else self._finished(batch)

    def __len__(self) -> int:
        """Number of batches in an epoch, of this rank."""
        return self._open.batches

    def sample(self, index: int, epoch: int | None = None) -> Batch:
        """One sample, read by this thread: a batch of one.

        Parameters
        ----------
        index : int
            Of the sample in its epoch, as in ``batch["index"]``.
        epoch : int, optional
            Default: that of the next batch.

        Returns
        -------
        dict of str to ndarray
            As iterating gives.

        Raises
        ------
        OutOfBoundsError
            If an epoch has no such sample.
        """
        number = self.epoch if epoch is None else whole(epoch, "epoch")
        batch = self._open.sample(number, whole(index, "index"))
        self._warn()
        return self._finished(batch)

    @property
    def samples(self) -> int:
        """Samples in an epoch, of all ranks, including those that `drop_last` drops."""
        return self._open.samples

    @property
    def epoch(self) -> int:
        """The epoch of the loop that runs, or of the next one."""
        return self._open.state()[0]

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch. What was read ahead of another one is dropped.

        Parameters
        ----------
        epoch : int
            0 or more.
        """
        with self._lock:
            self._open.set_epoch(whole(epoch, "epoch"))

    def state_dict(self) -> dict[str, int]:
        """Where the loader stands, as a few ints: batches that were read ahead do not count."""
        with self._lock:
            epoch, done, ranks, fingerprint = self._open.state()
        return {
            "version": _VERSION,
            "epoch": epoch,
            "batches_done": done,
            "world_size": ranks,
            "fingerprint": fingerprint,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go where another loader of the same cases and options stood.

        Parameters
        ----------
        state : mapping
            What its `state_dict` returned.

        Raises
        ------
        InvalidValueError
            If it is the state of a loader with other cases, patch, batch size, seed or number
            of samples, or of another number of ranks in the middle of an epoch.
        """
        names = ("epoch", "batches_done", "world_size", "fingerprint")
        try:
            version = operator.index(state["version"])
            numbers = [operator.index(state[name]) for name in names]
            if not all(0 <= number < 2**63 for number in numbers[:-1]):
                raise ValueError("numbers out of range")
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidValueError(
                f"{state!r} is no state of a PatchLoader ({error!r})"
            ) from None
        if version != _VERSION:
            raise InvalidValueError(
                f"the state has version {version}, and this library reads version {_VERSION}"
            )
        with self._lock:
            self._open.restore(*numbers)

    @property
    def cases(self) -> Sequence[Case]:
        """The cases."""
        return _Cases(self)

    @property
    def skipped(self) -> list[Skipped]:
        """Cases that could not be read, with `skip_unreadable`."""
        core = self._open
        return [
            Skipped(index, core.case_at(index)[0], error) for index, error in core.skipped()
        ]

    @property
    def times(self) -> Times:
        """Where the time went since the loader was made."""
        return Times(**self._open.times())

    @property
    def bfloat16_fields(self) -> frozenset[str]:
        """Keys of the batch that hold the bits of bfloat16, which NumPy does not know."""
        return self._bfloat16

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Stop the threads; a thread that waits for a batch gets a `ClosedError`.

        At exit it is called for every loader; daemon threads that use one then end.
        Batches stay valid. Closing twice does nothing.
        """
        self._closed = True
        self._core.cancel()
        # A next() in another thread ends at once; at exit, that thread may be gone already.
        locked = self._lock.acquire(timeout=1)
        try:
            self._core.close()
        finally:
            if locked:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return f"<{type(self).__name__}, closed>"
        patch = " x ".join(map(str, self.patch_size))
        return (
            f"<{type(self).__name__} of {self._core.cases} cases: {len(self)} batches of "
            f"{self.batch_size} x {patch} an epoch>"
        )

    def __reduce__(self) -> NoReturn:
        raise InvalidUseError(
            f"a {type(self).__name__} cannot be pickled or copied: it stands somewhere in "
            f"its epoch. Make one in each process, or give a DataLoader "
            f"mlarray.torch.PatchDataset"
        )

    @property
    def _open(self) -> _core.Loader:
        if self._closed:
            raise _closed("the loader is closed; make another one")
        return self._core

    def _next(self) -> _core.Batch | None:
        with self._lock:
            before = self._open.state()
            try:
                batch = self._core.next()
                if batch is None:
                    self._core.set_epoch(before[0] + 1)
            except InvalidUseError:
                if self._closed:
                    raise _closed(
                        "the loader was closed while a batch was waited for"
                    ) from None
                raise
            finally:
                self._warn_or_go_back(before)
        return batch

    def _warn_or_go_back(self, before: tuple[int, int, int, int]) -> None:
        """Where warnings are errors, the batch is for the next call."""
        try:
            self._warn()
        except BaseException:
            if not self._closed:
                self._core.restore(*before)
            raise

    def _finished(self, batch: _core.Batch) -> Batch:
        arrays = as_arrays(batch, self._slice_axis)
        if self._raw is not None:
            add_placements(arrays, self._raw)
        if self._transform is not None:
            transform_samples(arrays, self._transform)
        return arrays

    def _warn(self) -> None:
        for text in self._core.take_warnings():
            warn(text)


class _Cases(Sequence[Case]):
    """The cases of a loader, which the core keeps."""

    def __init__(self, loader: PatchLoader) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return self._loader._open.cases

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> list[Case]: ...
    def __getitem__(self, index: int | slice) -> Case | list[Case]:
        core, places = self._loader._open, range(len(self))
        if isinstance(index, slice):
            return [from_core(core.case_at(place)) for place in places[index]]
        return from_core(core.case_at(places[index]))


def as_arrays(batch: _core.Batch, slice_axis: int | None) -> Batch:
    """The arrays of a batch, without the axis along which a slice has one voxel.

    Parameters
    ----------
    batch : _core.Batch
        The batch; it lives as long as one of the arrays.
    slice_axis : int or None
        An axis of space.

    Returns
    -------
    dict of str to ndarray
        By name.
    """
    arrays: Batch = batch.arrays()
    for name, array in arrays.items():
        if array.dtype.char in "qQ":  # C's long long, which torch does not take for an int64
            array = array.view(array.dtype.str)
        if slice_axis is not None and name not in OF_SAMPLES:
            array = array.squeeze(2 + slice_axis)
        arrays[name] = array
    return arrays


def add_placements(arrays: Batch, pipeline: Pipeline) -> None:
    """Add what was drawn for each sample of a batch that is not augmented yet.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The batch.
    pipeline : Pipeline
        What draws.
    """
    channels = arrays["image"].shape[1]
    draws = [pipeline.draw(int(seed), channels) for seed in arrays["seed"]]
    arrays["support"] = np.array([pipeline.support(draw) for draw in draws], np.int64)
    arrays["placement"] = np.stack([pipeline.placement(draw) for draw in draws])


def transform_samples(arrays: Batch, transform: SampleTransform) -> None:
    """Let a function change each sample of a batch.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The batch.
    transform : callable
        Of a sample.
    """
    for i in range(len(arrays["case"])):
        sample = {name: array[i, ...] for name, array in arrays.items()}
        made = transform(dict(sample))
        for name, value in (made or {}).items():
            if name not in sample:
                raise InvalidValueError(
                    f"transform has returned {name!r}, which is not in the batch: it has "
                    f"{', '.join(sample)}"
                )
            if value is sample[name]:
                continue
            new = np.asarray(value)
            if new.shape != sample[name].shape:
                raise InvalidValueError(
                    f"transform has returned {name!r} of shape {new.shape}; samples of a batch "
                    f"have one shape, {sample[name].shape}"
                )
            sample[name][...] = new


def as_sequence(cases: Iterable[Case]) -> Sequence[Case]:
    """The cases; those of an iterator as a list."""
    if isinstance(cases, Sequence):
        return cases
    if not isinstance(cases, Iterable):
        raise InvalidTypeError(f"cases={cases!r} is no list of Case")
    return list(cases)


_live: weakref.WeakSet[PatchLoader] = weakref.WeakSet()
_ending_thread: int | None = None  # the one that ends Python


def _closed(text: str) -> ClosedError | SystemExit:
    """What to raise for a loader that is closed.

    A daemon thread that outlives Python is not told, but ended: nobody reads its traceback,
    and one that is stopped while it prints keeps the lock of stderr, for which CPython aborts
    the process.
    """
    if _ending_thread in (None, threading.get_ident()):
        return ClosedError(text)
    return SystemExit()


def _after_fork() -> None:
    """Another thread of the parent may have had a lock, or have ended the parent."""
    global _ending_thread
    _ending_thread = None
    for loader in list(_live):
        loader._lock = threading.RLock()


@atexit.register
def _close_all() -> None:
    global _ending_thread
    _ending_thread = threading.get_ident()
    for loader in list(_live):
        loader.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
