"""What is verified and what is damaged in a file or an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from . import _core

__all__ = ["Damage", "VerifyReport", "damage_of", "report_of"]


@dataclass(frozen=True)
class Damage:
    """One place that cannot be trusted.

    Attributes
    ----------
    chunk, block : int or None
        Numbers in the file; None where it is not about one of them (seal, metadata, a whole
        chunk).
    start, stop : tuple of int or None
        The box of voxels that it covers.
    what : str
        One line.
    """

    chunk: int | None
    block: int | None
    start: tuple[int, ...] | None
    stop: tuple[int, ...] | None
    what: str

    @property
    def box(self) -> tuple[slice, ...] | None:
        """The voxels as a key for indexing; None where it is not about voxels."""
        if self.start is None or self.stop is None:
            return None
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))


@dataclass(frozen=True)
class VerifyReport:
    """What of a file is verified (docs/integrity.md).

    Attributes
    ----------
    path : str or None
        None for an image in memory.
    status : {'verified', 'unverified', 'damaged'}
        'verified': no damage, the seal is right and every block has a checksum.
    seal : {'valid', 'absent', 'edited', 'broken'}
        'absent' was written by another Blosc2 writer, 'edited' was edited by one.
    chunks, blocks : int
        Blocks are those that are stored: chunks that the index names as zeros have none.
    verified_blocks, unverified_blocks, damaged_blocks : int
        Their sum is `blocks`.
    damage : tuple of Damage
        In the order of the file, at most 10000.
    damage_is_complete : bool
        False if there is more.
    """

    path: str | None
    status: Literal["verified", "unverified", "damaged"]
    seal: str
    chunks: int
    blocks: int
    verified_blocks: int
    unverified_blocks: int
    damaged_blocks: int
    damage: tuple[Damage, ...]
    damage_is_complete: bool

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        out = dict(vars(self))
        out["damage"] = [dict(vars(item)) for item in self.damage]
        return out


def report_of(core: _core.VerifyReport, path: str | None) -> VerifyReport:
    """The core's report as Python's."""
    damage = tuple(damage_of(item) for item in core.damage)
    status: Literal["verified", "unverified", "damaged"] = "verified"
    if damage:
        status = "damaged"
    elif core.seal != "valid" or core.unverified_blocks:
        status = "unverified"
    return VerifyReport(
        path=path,
        status=status,
        # A file that does not even open has no seal to speak of.
        seal=core.seal if core.opened else "broken",
        chunks=core.chunks,
        blocks=core.blocks,
        verified_blocks=core.verified_blocks,
        unverified_blocks=core.unverified_blocks,
        damaged_blocks=core.damaged_blocks,
        damage=damage,
        damage_is_complete=core.damage_is_complete,
    )


def damage_of(core: _core.Damage) -> Damage:
    in_chunk = core.chunk >= 0
    return Damage(
        chunk=core.chunk if in_chunk else None,
        block=core.block if core.block >= 0 else None,
        start=tuple(core.start) if in_chunk else None,
        stop=tuple(core.stop) if in_chunk else None,
        what=core.what,
    )
