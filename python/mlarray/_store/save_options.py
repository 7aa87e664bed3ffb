"""A user's words for saving as the options of the core."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .. import _core
from .._compat.names import param, resolve_threads
from .._dtypes import dtype_to_text
from .._index.boxes import check_64_bits
from ..errors import (
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    LayoutError,
    UnsupportedError,
)
from ..typing import UNSET

if TYPE_CHECKING:
    from ..typing import Level, Params, PatchSize, Preset, Sizes
    from .base import Store

__all__ = [
    "LEVELS",
    "PRESETS",
    "Packing",
    "check_defaults",
    "check_dparams",
    "codec_params",
    "commit_level",
    "kept_codec",
    "options_for",
    "save_options",
]

_CODECS: Final = _core.codec_numbers()
_FILTERS: Final = _core.filter_numbers()
_SPLIT_MODES: Final = {
    "always_split": 1,
    "never_split": 2,
    "auto_split": 3,
    "forward_compat_split": 4,
}
PRESETS: Final = tuple(preset.name for preset in _core.Preset)
LEVELS: Final = tuple(level.name for level in _core.CommitLevel)
_SLOTS: Final = 6
_USED: Final = ("codec", "clevel", "filters", "filters_meta", "splitmode", "nthreads")
# Chosen by the layout or meaningless here; Blosc2's objects carry them always.
_IGNORED: Final = ("typesize", "blocksize", "tuner")
_REFUSED: Final = {"codec_meta": 0, "use_dict": False}


class Packing(NamedTuple):
    """How voxels are to be cut and compressed, as callers say it."""

    patch_size: PatchSize = UNSET
    chunk_size: Sizes = None
    block_size: Sizes = None
    cparams: Params = None
    preset: Preset | None = None
    # That of the image that this one was made from, where nothing else is said.
    base_patch: list[int] | None = None

    def words(self) -> dict[str, Any]:
        """What callers say, by argument."""
        return {name: value for name, value in self._asdict().items() if name != "base_patch"}

    @property
    def says_sizes(self) -> bool:
        """Whether it says anything of patch, chunk and block."""
        sizes = (self.chunk_size, self.block_size)
        return self.patch_size is not UNSET or any(size is not None for size in sizes)

    @property
    def says_codec(self) -> bool:
        """Whether it says anything of compression."""
        return self.cparams is not None or self.preset is not None


def codec_params(
    cparams: Any, dtype_text: str, preset: str | None = None
) -> _core.CodecParams | None:
    """Compression parameters in Blosc2's words, or those of a preset.

    Parameters
    ----------
    cparams : dict or object with attributes, optional
        ``codec`` (name, number or enum), ``clevel`` (0 to 9), ``filters`` and
        ``filters_meta`` (up to six), ``splitmode``. What is missing is chosen by dtype.
    dtype_text : str
        Element type.
    preset : {'fast', 'balanced', 'small'}, optional
        Instead of `cparams`.

    Returns
    -------
    CodecParams or None
        None if nothing is asked for: the library chooses.

    Raises
    ------
    InvalidValueError
        For an unknown key, codec, level or filter.
    InvalidUseError
        For an unknown `preset`, and for both at once.
    UnsupportedError
        For dictionaries and plug-in codecs.

    Examples
    --------
    >>> codec_params({"codec": "zstd", "clevel": 3}, "<i2").level
    3
    """
    if preset is not None:
        if preset not in PRESETS:
            raise InvalidUseError(f"preset={preset!r} is not one of {', '.join(PRESETS)}")
        if cparams is not None:
            raise InvalidUseError(
                f"preset={preset!r} cannot be given together with cparams, which say the same "
                f"in detail; leave one out"
            )
        return _core.CodecParams.preset_for(dtype_text, _core.Preset[preset])
    if cparams is None:
        return None
    if isinstance(cparams, Mapping):
        unknown = [key for key in cparams if key not in (*_USED, *_IGNORED, *_REFUSED)]
        if unknown:
            raise InvalidValueError(
                f"cparams has the unknown key {unknown[0]!r}; known are {', '.join(_USED)}"
            )
    for key, harmless in _REFUSED.items():
        value = param(cparams, key, "cparams")
        if value is not UNSET and value is not None and value != harmless:
            raise UnsupportedError(f"cparams[{key!r}]={value!r} is not supported; leave it out")
    asked = {key: param(cparams, key, "cparams") for key in _USED if key != "nthreads"}
    asked = {key: UNSET if value is None else value for key, value in asked.items()}
    if all(value is UNSET for value in asked.values()):
        return None
    default = _core.CodecParams.preset_for(dtype_text)
    codec = _number("codec", asked["codec"], _CODECS, default.codec)
    level = _number("clevel", asked["clevel"], {}, default.level)
    filters, padding = _slots("filters", asked["filters"], default.filters)
    filters_meta, _ = _slots("filters_meta", asked["filters_meta"], [0] * _SLOTS, padding)
    split = default.split if codec == default.codec else codec in (0, 1)
    if asked["splitmode"] is not UNSET:
        mode = _number("splitmode", asked["splitmode"], _SPLIT_MODES, 3)
        split = _splits(mode, codec, level, filters)
    for code, meta in zip(filters, filters_meta):
        if meta < 0 and code not in (_FILTERS["trunc_prec"], _FILTERS["int_trunc"]):
            raise InvalidValueError(
                f"cparams['filters_meta']={meta} for filter {code}: only trunc_prec and "
                f"int_trunc, whose number counts bits, take one below 0"
            )
    params = _core.CodecParams(
        codec=codec,
        level=level,
        filters=filters,
        filters_meta=[meta & 255 for meta in filters_meta],  # as Blosc2 stores it
        split=split,
    )
    return params.for_dtype(dtype_text)


def kept_codec(codec: _core.CodecParams, dtype_text: str) -> _core.CodecParams | None:
    """How a file is compressed, if it may be written that way again."""
    try:
        return _core.CodecParams(
            codec=codec.codec,
            level=codec.level,
            filters=codec.filters,
            filters_meta=codec.filters_meta,
            split=codec.split,
            adaptive=codec.adaptive,
        ).for_dtype(dtype_text)
    except InvalidValueError:
        return None


def commit_level(level: Any, durable: Any = None) -> _core.CommitLevel | None:
    """Unite ``level`` and ``durable=True``, which is a name for ``level="durable"``.

    Parameters
    ----------
    level : {'none', 'ordered', 'durable'}, optional
        What a power cut may do to what is written.
    durable : bool, optional
        False asks for nothing in particular.

    Returns
    -------
    CommitLevel or None
        None if nothing is asked for.

    Raises
    ------
    InvalidUseError
        For another level, and for two that contradict each other.

    Examples
    --------
    >>> commit_level(None, True) == commit_level("durable")
    True
    """
    if isinstance(durable, str):
        raise InvalidUseError(
            f"durable={durable!r} is True or False; a level is level={durable!r}"
        )
    if level is None:
        return _core.CommitLevel.durable if durable else None
    if not isinstance(level, str) or level not in LEVELS:
        raise InvalidUseError(f"level={level!r} is not one of {', '.join(map(repr, LEVELS))}")
    if durable is not None and bool(durable) and level != "durable":
        raise InvalidUseError(
            f"durable=True and level={level!r} contradict each other; give only one of them"
        )
    if durable is not None and not durable and level == "durable":
        raise InvalidUseError(
            "durable=False and level='durable' contradict each other; give only one of them"
        )
    return _core.CommitLevel[level]


def check_dparams(dparams: Any) -> None:
    """Refuse keys of `dparams` that mean nothing.

    Raises
    ------
    InvalidValueError
        Naming the key.
    """
    if isinstance(dparams, Mapping):
        unknown = [key for key in dparams if key != "nthreads"]
        if unknown:
            raise InvalidValueError(
                f"dparams has the unknown key {unknown[0]!r}; known is 'nthreads'"
            )
    elif dparams is not None and not hasattr(dparams, "nthreads"):
        raise InvalidTypeError(
            f"dparams is a {type(dparams).__name__}; give a dict such as {{'nthreads': 4}}"
        )


def save_options(
    packing: Packing,
    *,
    ndim: int,
    spatial_axes: list[bool],
    codec: _core.CodecParams | None,
    num_threads: Any = None,
    dparams: Any = None,
    default_threads: int = 0,
    metadata_format: str = "current",
    store_metadata: bool = True,
    level: Level | None = None,
    durable: bool | None = None,
    verify: bool = False,
) -> _core.SaveOptions:
    """Check and unite all that `MLArray.save` and `MLArray.create` are given.

    Parameters
    ----------
    packing : Packing
        Sizes in voxels: patches per axis of space, chunks and blocks per axis.
    ndim : int
        Number of axes of the array.
    spatial_axes : list of bool
        Which of them are axes of space.
    codec : CodecParams, optional
        How voxels are compressed: `packing.cparams`, completed.
    num_threads, dparams : optional
        Where the number of threads may stand, besides `packing.cparams`.
    default_threads : int
        Where it stands in none of them: that of the image; 0 for the process-wide number.
    metadata_format : {'current', 'legacy'}
        Which generation of readers must be able to read the metadata.
    store_metadata : bool
        False for ``.b2nd``.
    level, durable : optional
        See `commit_level`; 'ordered' where nothing is asked for.
    verify : bool
        Whether the result must be read back before it takes its place.

    Raises
    ------
    LayoutError
        For lengths that do not fit the array.
    InvalidUseError
        For contradictions, and for an unknown `metadata_format`.
    """
    if metadata_format not in ("current", "legacy"):
        raise InvalidUseError(
            f"metadata_format={metadata_format!r} is not 'current' (readers of 0.0.49 and "
            f"later) or 'legacy' (readers up to 0.0.48)"
        )
    check_dparams(dparams)
    patch: Any = "default" if packing.patch_size is UNSET else packing.patch_size
    patch_given = patch is not None and not isinstance(patch, str)
    if patch_given:
        patch = _sizes("patch_size", patch, sum(spatial_axes), "axes of space", single=True)
    chunk = _sizes("chunk_size", packing.chunk_size, ndim, "axes")
    block = _sizes("block_size", packing.block_size, ndim, "axes")
    if patch_given and (chunk is not None or block is not None):
        raise LayoutError(
            "patch_size cannot be given together with chunk_size and block_size; give either "
            "the patch or both sizes"
        )
    threads = (
        resolve_threads(num_threads, packing.cparams, "cparams")
        or resolve_threads(num_threads, dparams)
        or default_threads
    )
    return _core.SaveOptions(
        patch=patch,
        chunk=chunk,
        block=block,
        spatial_axes=spatial_axes,
        codec=codec,
        legacy_metadata=metadata_format == "legacy",
        store_metadata=store_metadata,
        threads=threads,
        level=commit_level(level, durable) or _core.CommitLevel.ordered,
        verify=verify,
    )


def options_for(
    store: Store, asked: Packing, defaults: Packing, **others: Any
) -> _core.SaveOptions:
    """How to save a store: as asked, or as its image was made, or as its file is.

    Parameters
    ----------
    store : Store
        What is saved.
    asked : Packing
        The arguments of `save`.
    defaults : Packing
        Those that the image was made with.
    **others
        As for `save_options`.

    Raises
    ------
    LayoutError, InvalidUseError
        As `save_options`.
    """
    spatial_axes = store.spatial_axes_to_save()
    packing = _packing(store, asked, defaults, sum(spatial_axes))
    return save_options(
        packing,
        ndim=len(store.shape),
        spatial_axes=spatial_axes,
        codec=_codec(store, packing),
        **others,
    )


def check_defaults(store: Store, defaults: Packing) -> None:
    """Refuse at once what `save` would refuse of the arguments that made the image."""
    if not defaults.says_sizes and not defaults.says_codec:
        return
    options = save_options(
        defaults,
        ndim=len(store.shape),
        spatial_axes=store.spatial_axes_to_save(),
        codec=_codec(store, defaults),
    )
    options.check_layout(store.shape, store.dtype.itemsize)


def _packing(store: Store, asked: Packing, defaults: Packing, spatial_ndim: int) -> Packing:
    """What `save` was asked for, completed by what the image was made with."""
    codec = asked if asked.says_codec else defaults
    packing = asked if asked.says_sizes else defaults
    if not packing.says_sizes and store.core is not None:
        packing = Packing(UNSET, store.chunks, store.blocks)
    elif not packing.says_sizes and len(defaults.base_patch or ()) == spatial_ndim:
        packing = Packing(defaults.base_patch)
    return packing._replace(cparams=codec.cparams, preset=codec.preset)


def _codec(store: Store, packing: Packing) -> _core.CodecParams | None:
    """What `save` was asked for, or else what the file has that the image comes from."""
    text = dtype_to_text(store.dtype)
    codec = codec_params(packing.cparams, text, packing.preset)
    if codec is None and store.core is not None:
        return kept_codec(store.core.codec, text)
    return codec


def _sizes(name: str, value: Any, count: int, what: str, *, single: bool = False) -> Any:
    """Ints per axis; one int stands for all of them (`single`: it is passed on as one)."""
    if value is None:
        return None
    try:
        length = operator.index(value)
    except TypeError:
        pass
    else:
        check_64_bits(name, [length])
        return length if single else [length] * count
    try:
        sizes = [operator.index(item) for item in value]
    except TypeError:
        raise InvalidTypeError(
            f"{name}={value!r} is not an int or a sequence of ints; give one of these"
        ) from None
    check_64_bits(name, sizes)
    if len(sizes) != count:
        raise LayoutError(
            f"{name}={tuple(sizes)} has {len(sizes)} lengths, but the array has {count} "
            f"{what}; give one length for each, or one int for all"
        )
    return sizes


def _number(name: str, value: Any, names: Mapping[str, int], default: int) -> int:
    """A number given as itself, as a name, or as an enum."""
    if value is UNSET or value is None:
        return default
    if isinstance(value, str):
        number = names.get(value.lower())
        if number is None:
            raise InvalidValueError(
                f"cparams[{name!r}]={value!r} is not one of {', '.join(names) or '0 to 9'}"
            )
        return number
    try:
        number = operator.index(getattr(value, "value", value))
    except TypeError:
        raise InvalidTypeError(
            f"cparams[{name!r}]={value!r} is not a name or a number; give one of these"
        ) from None
    least = -128 if name == "filters_meta" else 0
    if not least <= number <= 255:
        raise InvalidValueError(
            f"cparams[{name!r}]={number} is not in the range {least} to 255"
        )
    return number


def _slots(
    name: str, value: Any, default: Sequence[int], padding: int | None = None
) -> tuple[list[int], int]:
    """Six entries, and how many were put before the given ones.

    Blosc2 itself keeps a short list of filters at the end of its pipeline.
    """
    if value is UNSET or value is None:
        return list(default), 0
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidTypeError(
            f"cparams[{name!r}]={value!r} is not a list; give up to {_SLOTS} names or numbers"
        )
    numbers = [_number(name, item, _FILTERS, 0) for item in value]
    if len(numbers) > _SLOTS:
        raise InvalidValueError(
            f"cparams[{name!r}]={numbers} has {len(numbers)} entries; give at most {_SLOTS}"
        )
    before = _SLOTS - len(numbers) if padding is None else min(padding, _SLOTS - len(numbers))
    return [0] * before + numbers + [0] * (_SLOTS - before - len(numbers)), before


def _splits(mode: int, codec: int, level: int, filters: Sequence[int]) -> bool:
    """Whether Blosc2 would split the streams of a block in this mode."""
    if mode in (1, 2):
        return mode == 1
    if mode not in (3, 4):
        raise InvalidValueError(f"cparams['splitmode']={mode} is not in the range 1 to 4")
    fast = codec in (0, 1) or (codec == 5 and level <= 5 and mode == 3)
    return fast and (1 in filters or 2 in filters)
