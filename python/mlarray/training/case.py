"""Case: what belongs to one subject."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._paths import checked_path
from ..errors import InvalidTypeError, InvalidValueError
from ..typing import PathLike
from ._arguments import folder_path, text_bytes

__all__ = ["RESERVED", "Case", "from_core", "to_core"]

Files = PathLike | Sequence[PathLike]
_SINGLE = (str, bytes, os.PathLike)

# What a batch calls its own.
RESERVED = (
    "image",
    "label",
    "inside",
    "case",
    "box",
    "class",
    "center",
    "affine",
    "index",
    "seed",
    "support",
    "placement",
)


@dataclass(frozen=True)
class Case:
    """What belongs to one subject: files of one grid.

    Parameters
    ----------
    image : path or sequence of path
        Images; the channels of several are stacked in their order. A file has the axes of
        space, or one more, its channels.
    label : path or sequence of path, optional
        Label maps, or other targets.
    extra : mapping of str to path or sequence of path, optional
        Others that are cut out with them, as maps of weights; their names are keys of the
        batch. All cases have the same.
    name : str, optional
        What errors say; default: the name of the first image.
    class_locations : path, optional
        The ``.pkl`` in which nnU-Net has listed voxels of the classes; the label map is not
        indexed then. It is not read where the label map holds these lists itself, as
        ``mlarray nnunet-convert`` leaves it.

    Raises
    ------
    InvalidTypeError
        For what is no path.
    InvalidValueError
        Without an image, and for a name in `extra` that a batch has itself.

    Examples
    --------
    >>> from mlarray.training import Case
    >>> Case(image=["t1.mla", "t2.mla"], label="seg.mla", name="patient 7").name
    'patient 7'
    """

    image: Files
    label: Files | None = None
    extra: Mapping[str, Files] = field(default_factory=dict)
    name: str = ""
    class_locations: PathLike | None = None

    def __post_init__(self) -> None:
        if not _paths(self.image, "image"):
            raise InvalidValueError(f"a Case without an image: image={self.image!r}")
        if self.label is not None and not _paths(self.label, "label"):
            raise InvalidValueError("label=[] has no files; without labels it is None")
        if not isinstance(self.name, str):
            raise InvalidTypeError(f"name={self.name!r} is no text")
        if self.class_locations is not None:
            folder_path(self.class_locations, "class_locations")
        if not isinstance(self.extra, Mapping):
            raise InvalidTypeError(
                f"extra={self.extra!r} is a {type(self.extra).__name__}; give a dict of names "
                f"and paths"
            )
        for name, files in self.extra.items():
            if not isinstance(name, str) or not name:
                raise InvalidTypeError(
                    f"extra={{{name!r}: ...}}: names are text, and not empty"
                )
            if name in RESERVED:
                raise InvalidValueError(
                    f"extra={{{name!r}: ...}}: a batch has {name!r} itself; choose another name"
                )
            if not _paths(files, f"extra[{name!r}]"):
                raise InvalidValueError(f"extra[{name!r}] has no files")


def _paths(files: Files, argument: str) -> list[str]:
    try:
        given: list[Any] = [files] if isinstance(files, _SINGLE) else list(files)
        return [checked_path(path) for path in given]
    except TypeError:
        raise InvalidTypeError(
            f"{argument}={files!r} is a {type(files).__name__}; give a path, or several"
        ) from None


Parts = tuple[bytes, list[str], list[str], tuple[tuple[str, list[str]], ...], str]
Back = tuple[str, list[str], list[str], tuple[tuple[str, list[str]], ...], str]


def to_core(case: Case) -> Parts:
    """A case in the words of the core."""
    if not isinstance(case, Case):
        raise InvalidTypeError(
            f"cases has a {type(case).__name__}; each is a Case(image=..., label=...)"
        )
    label, extra, listed = case.label, case.extra, case.class_locations
    return (
        text_bytes(case.name) if case.name else b"",
        _as_text(case.image),
        [] if label is None else _as_text(label),
        tuple((name, _as_text(extra[name])) for name in sorted(extra)) if extra else (),
        "" if listed is None else os.fsdecode(listed),
    )


def _as_text(files: Files) -> list[str]:
    """The same of what a Case has checked."""
    if type(files) is str:  # most are; the way below takes three times as long
        return [files]
    given: Any = [files] if isinstance(files, _SINGLE) else files
    return [os.fsdecode(path) for path in given]


def from_core(parts: Back) -> Case:
    """And back. A single file is a path again."""
    name, image, label, extra, listed = parts

    def shown(files: list[str]) -> Files:
        return os.fspath(files[0]) if len(files) == 1 else tuple(map(os.fspath, files))

    return Case(
        image=shown(image),
        label=shown(label) if label else None,
        extra={name: shown(files) for name, files in extra},
        name=name,
        class_locations=listed or None,
    )
