"""How far a partition's cursor may move: to a checkpoint before which everything is settled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from syncline.core.model import Cursor

__all__ = ["Checkpoints"]


@dataclass(slots=True)
class _Segment:
    """What lies between two checkpoints."""

    open: int = 0
    cursor: Cursor | None = None
    """The checkpoint that ends it, once it has been read."""


class Checkpoints:
    """One partition's segments, oldest first.

    Every entry is `begin`-ed when it is read from the stream and `settle`-d once it is stored
    or recorded as failed. Settling may happen in any order; `ready` answers the newest cursor
    before which nothing is open.
    """

    def __init__(self) -> None:
        self._segments: deque[_Segment] = deque([_Segment()])

    def begin(self) -> _Segment:
        """Note an entry; answer what `settle` takes."""
        segment = self._segments[-1]
        segment.open += 1
        return segment

    def settle(self, segment: _Segment) -> None:
        """An entry is stored, or recorded as failed."""
        assert segment.open > 0
        segment.open -= 1

    def mark(self, cursor: Cursor) -> None:
        """A checkpoint was read from the stream."""
        self._segments[-1].cursor = cursor
        self._segments.append(_Segment())

    def ready(self) -> Cursor | None:
        """The newest cursor that may be stored now, once; None if there is no new one."""
        newest = None
        while self._segments[0].open == 0 and self._segments[0].cursor is not None:
            newest = self._segments.popleft().cursor
        return newest
