"""Batches of `mlarray.training` as tensors."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import InvalidUseError, InvalidValueError
from ..training._arguments import whole
from ..training.case import Case
from ..training.loader import OF_SAMPLES, Batch, Skipped, Times, as_sequence
from ..training.loader import PatchLoader as ArrayLoader
from ..training.options import LoaderOptions, folder_and_patch

try:
    import torch
    from torch.utils.data import Dataset, IterableDataset, get_worker_info
except ImportError as error:
    raise ImportError(
        'mlarray.torch needs PyTorch: pip install "mlarray[torch]". mlarray.training has the '
        "same batches as NumPy arrays"
    ) from error

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ..typing import PathLike

__all__ = ["PatchDataset", "PatchLoader"]

Tensors = dict[str, torch.Tensor]


class PatchLoader(IterableDataset[Tensors]):
    """`mlarray.training.PatchLoader` that gives tensors.

    On the CPU, tensors are the memory that the loader decoded to. With a `device` of CUDA, the
    next batch is copied to it from pinned memory while you compute with this one.

    Parameters
    ----------
    cases : iterable of Case
        What patches are drawn of.
    patch_size : int or sequence of int
        Voxels along each axis of space.
    batch_size : int
        Samples in a batch.
    device : device or str, optional
        Where tensors of voxels are put; those that tell about samples stay on the CPU. Default:
        all stay there.
    **options
        As for `mlarray.training.PatchLoader`. `rank` and `world_size` are those of
        ``torch.distributed``, where that is initialised.
    """

    def __init__(
        self,
        cases: Iterable[Case],
        patch_size: int | Sequence[int],
        batch_size: int = 2,
        *,
        device: torch.device | str | None = None,
        **options: Unpack[LoaderOptions],
    ) -> None:
        options.setdefault("rank", None)
        options.setdefault("world_size", None)
        if options["rank"] is None and options["world_size"] is None and _distributed():
            options["rank"] = torch.distributed.get_rank()
            options["world_size"] = torch.distributed.get_world_size()
        self.device = None if device is None else torch.device(device)
        self._arrays = ArrayLoader(cases, patch_size, batch_size, **options)
        self._stream: Any = None
        # Read from the NumPy loader, and not handed out yet; and where that stood before.
        self._ahead: Tensors | None = None
        self._before: dict[str, int] | None = None

    @classmethod
    def from_folder(
        cls,
        images: PathLike,
        labels: PathLike | None = None,
        patch_size: int | Sequence[int] | None = None,
        batch_size: int = 2,
        *,
        device: torch.device | str | None = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Make a loader of all images in a folder, as `mlarray.training.cases_from_folder`.

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
        device : device or str, optional
            As for the class.
        **options
            As for the class.

        Returns
        -------
        PatchLoader
            The loader.
        """
        cases, patch = folder_and_patch(images, labels, patch_size, options.get("slice_axis"))
        return cls(cases, patch, batch_size, device=device, **options)

    def __iter__(self) -> Iterator[Tensors]:
        """The rest of this epoch; where nothing is left of it, the next one."""
        if (worker := get_worker_info()) is not None:
            raise InvalidUseError(
                f"a PatchLoader in a DataLoader with {worker.num_workers} workers would give "
                f"each batch as often: iterate over the PatchLoader itself, which has threads, "
                f"or give the DataLoader a PatchDataset"
            )
        if self.device is None or self.device.type == "cpu":
            for arrays in self._arrays:
                yield _tensors(arrays, self._is_bfloat16)
        else:
            yield from self._on_device()

    def _on_device(self) -> Iterator[Tensors]:
        """One batch is on its way to the device while the one before is computed with."""
        if self._ahead is None:
            self._arrays.leave_finished_epoch()
        while True:
            if self._ahead is None:
                self._fetch()
            batch, before = self._ahead, self._before
            self._ahead = self._before = None
            if batch is None:
                return
            self._wait_for_copy(batch)
            if self._arrays.state_dict()["batches_done"] < len(self):
                try:
                    self._fetch()
                except BaseException:
                    # This batch was not given yet: the next loop begins with it.
                    self._ahead, self._before = batch, before
                    raise
            yield batch

    def _fetch(self) -> None:
        before = self._arrays.state_dict()
        if (arrays := self._arrays.take()) is not None:
            try:
                self._ahead = self._copied(_tensors(arrays, self._is_bfloat16))
            except BaseException:
                self._arrays.load_state_dict(before)  # it was taken, but nobody gets it
                raise
            self._before = before

    def _copied(self, batch: Tensors) -> Tensors:
        device = self.device
        assert device is not None
        if device.type != "cuda":
            return {
                name: tensor if name in OF_SAMPLES else tensor.to(device)
                for name, tensor in batch.items()
            }
        if self._stream is None:
            self._stream = torch.cuda.Stream(device)
        with torch.cuda.stream(self._stream):
            return {
                name: tensor
                if name in OF_SAMPLES
                else tensor.pin_memory().to(device, non_blocking=True)
                for name, tensor in batch.items()
            }

    def _wait_for_copy(self, batch: Tensors) -> None:
        """What the caller does with the batch comes after its copy, on his stream."""
        if self._stream is None:
            return
        mine = torch.cuda.current_stream(self.device)
        mine.wait_stream(self._stream)
        for name, tensor in batch.items():
            if name not in OF_SAMPLES:
                tensor.record_stream(mine)

    def __len__(self) -> int:
        """Number of batches in an epoch, of this rank."""
        return len(self._arrays)

    def set_epoch(self, epoch: int) -> None:
        """As `mlarray.training.PatchLoader.set_epoch`."""
        stands = self.state_dict()
        if stands["epoch"] == whole(epoch, "epoch") and stands["batches_done"] == 0:
            return
        self._ahead = self._before = None
        self._arrays.set_epoch(epoch)

    def state_dict(self) -> dict[str, int]:
        """Where the loader stands, as a few ints: batches that were read ahead do not count."""
        return self._arrays.state_dict() if self._before is None else dict(self._before)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `mlarray.training.PatchLoader.load_state_dict`."""
        self._arrays.load_state_dict(state)
        self._ahead = self._before = None

    @property
    def epoch(self) -> int:
        """The epoch of the loop that runs, or of the next one."""
        return self.state_dict()["epoch"]

    @property
    def batch_size(self) -> int:
        """Samples in a batch."""
        return self._arrays.batch_size

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Voxels along each axis of space."""
        return self._arrays.patch_size

    @property
    def cases(self) -> Sequence[Case]:
        """The cases."""
        return self._arrays.cases

    @property
    def skipped(self) -> list[Skipped]:
        """Cases that could not be read, with `skip_unreadable`."""
        return self._arrays.skipped

    @property
    def times(self) -> Times:
        """Where the time went since the loader was made."""
        return self._arrays.times

    @property
    def _is_bfloat16(self) -> frozenset[str]:
        return self._arrays.bfloat16_fields

    def close(self) -> None:
        """Stop the threads. Tensors stay valid."""
        self._ahead = self._before = None
        self._arrays.close()

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
        return repr(self._arrays)

    def __reduce__(self) -> Any:
        return self._arrays.__reduce__()


class PatchDataset(Dataset[Tensors]):
    """The samples of an epoch by their number, for a `DataLoader` with workers.

    Sample ``i`` is the one that `PatchLoader` draws as number ``i`` of the epoch. Workers may
    be started by fork, spawn and forkserver; what is pickled are the options, never an open
    file. A `PatchLoader` is faster, and starts at once.

    Parameters
    ----------
    cases : iterable of Case
        What patches are drawn of.
    patch_size : int or sequence of int
        Voxels along each axis of space.
    batch_size : int
        That of the `DataLoader`: which samples of a batch `Balanced` forces depends on it.
    **options
        As for `mlarray.training.PatchLoader`. `rank`, `world_size` and `drop_last` are
        the affair of the `DataLoader`'s sampler.

    Examples
    --------
    >>> from torch.utils.data import DataLoader
    >>> from mlarray.training import Case
    >>> dataset = PatchDataset([Case("image.mla")], 8, batch_size=2, samples_per_epoch=6)
    >>> loader = DataLoader(dataset, batch_size=2)
    >>> [tuple(batch["image"].shape) for batch in loader][:1]
    [(2, 1, 8, 8, 8)]
    """

    def __init__(
        self,
        cases: Iterable[Case],
        patch_size: int | Sequence[int],
        batch_size: int = 2,
        **options: Unpack[LoaderOptions],
    ) -> None:
        given = [name for name in ("rank", "world_size", "drop_last") if name in options]
        if given:
            raise InvalidUseError(
                f"{given[0]}={options[given[0]]!r} of a PatchDataset would do nothing: which "
                f"samples a process gets is for the DataLoader to say, as by its sampler "
                f"torch.utils.data.DistributedSampler and its drop_last"
            )
        self._cases = list(as_sequence(cases))
        self._patch_size = patch_size
        self._batch_size = batch_size
        options["drop_last"] = False
        options["threads"] = options.get("threads") or 1
        self._options = options
        # Seen by workers that live on from one epoch to the next.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._forget()
        self._length = self._reader().samples

    def _forget(self) -> None:
        self._made: ArrayLoader | None = None
        self._process = -1

    def _reader(self) -> ArrayLoader:
        """The loader of this process."""
        if self._made is None or self._process != os.getpid():
            self._made = ArrayLoader(
                self._cases, self._patch_size, self._batch_size, **self._options
            )
            self._process = os.getpid()
        return self._made

    def __len__(self) -> int:
        """Number of samples in an epoch."""
        return self._length

    def __getitem__(self, index: int) -> Tensors:
        """One sample, without the axis of the batch."""
        number = operator.index(index)
        if not -self._length <= number < self._length:
            raise IndexError(f"sample {number} of {self._length}")
        reader = self._reader()
        arrays = reader.sample(number % self._length, int(self._epoch))
        tensors = _tensors(arrays, reader.bfloat16_fields)
        return {name: tensor[0] for name, tensor in tensors.items()}

    def __getitems__(self, indices: Sequence[int]) -> list[Tensors]:
        """Several samples, as a `DataLoader` asks for those of a batch."""
        return [self[index] for index in indices]

    @property
    def epoch(self) -> int:
        """The epoch whose samples are given."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Give the samples of another epoch, in workers that are running too.

        Parameters
        ----------
        epoch : int
            0 or more. Call it before the loop of that epoch.
        """
        number = whole(epoch, "epoch")
        if number < 0:
            raise InvalidValueError(f"epoch={number}; it is 0 or more")
        self._epoch.fill_(number)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None, "_process": -1}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # a copy has workers of its own, which must see it


def _distributed() -> bool:
    return bool(torch.distributed.is_available() and torch.distributed.is_initialized())


def _tensors(arrays: Batch, bfloat16: frozenset[str]) -> Tensors:
    tensors = {}
    for name, array in arrays.items():
        if name == "seed":  # the same bits: few operations take a uint64
            array = array.view("int64")
        tensor = torch.from_numpy(array)
        tensors[name] = tensor.view(torch.bfloat16) if name in bfloat16 else tensor
    return tensors
