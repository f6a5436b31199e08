"""What worker processes note of their jobs, each in a file of its own that is mapped into memory.

A note costs a microsecond, the same for all queues, and can be read while the process works.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOLDER", "Scores", "note", "read"]

FOLDER = "SCORECARDS"
"""The environment variable that names the folder of the files."""
_HEAD = struct.Struct("=qdd")
_WAIT = struct.Struct("=d")
_WAITS = 4096
_SIZE = _HEAD.size + _WAITS * _WAIT.size

_cards: dict[int, mmap.mmap] = {}


def note(sent: float | None = None) -> None:
    """A job starts now; `sent` is when it was sent, by the monotonic clock, which all share."""
    now = time.monotonic()
    card = _cards.get(os.getpid()) or _open()
    count, first, _ = _HEAD.unpack_from(card)
    if sent is not None and count < _WAITS:
        _WAIT.pack_into(card, _HEAD.size + count * _WAIT.size, now - sent)
    _HEAD.pack_into(card, 0, count + 1, first or now, now)


def _open() -> mmap.mmap:
    path = Path(os.environ[FOLDER]) / str(os.getpid())
    with path.open("w+b") as file:
        file.truncate(_SIZE)
        card = mmap.mmap(file.fileno(), _SIZE)
    _cards[os.getpid()] = card
    return card


@dataclass(frozen=True, slots=True)
class Scores:
    """What all processes have noted."""

    count: int
    seconds: float
    """From the start of the first job to that of the last."""
    waits: Sequence[float]
    """Seconds from being sent to being started."""


def read(folder: Path) -> Scores:
    """The scores so far."""
    counts, firsts, lasts, waits = [0], list[float](), list[float](), list[float]()
    for path in folder.iterdir():
        card = path.read_bytes()
        if len(card) < _SIZE:
            continue  # it is being made
        count, first, last = _HEAD.unpack_from(card)
        if count:
            counts.append(count)
            firsts.append(first)
            lasts.append(last)
        noted = card[_HEAD.size : _HEAD.size + min(count, _WAITS) * _WAIT.size]
        waits += [wait for (wait,) in _WAIT.iter_unpack(noted) if wait > 0]
    seconds = max(lasts) - min(firsts) if firsts else 0.0
    return Scores(sum(counts), seconds, waits)
