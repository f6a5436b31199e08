"""How far a backup, a restore or a move is, on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from syncline.cli.progress import open_live
from syncline.cli.screen import is_terminal, size

if TYPE_CHECKING:
    from syncline.databases.copying import OnProgress, Progress

__all__ = ["CopyMeter"]

_FIRST_AFTER = 0.4
_EVERY = 0.1


class CopyMeter:
    """A live line on standard error, where that is a terminal. A context manager; its `update`
    may be called from any thread."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._wanted = not quiet and is_terminal(sys.stderr)
        self._live: Any = None
        self._lock = threading.Lock()
        self._over = False
        self._doing = ""
        self._begun = self._drawn = self._started = time.monotonic()

    @property
    def update(self) -> OnProgress | None:
        """What is told of each block; None where nobody watches."""
        return self._update if self._wanted else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._over = True
            self._clear()

    def clear(self) -> None:
        """Take the line away, for something to be asked; the next block brings it back."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _update(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.doing != self._doing:
            self._doing, self._begun, self._drawn = progress.doing, now, 0.0
        if now - self._started < _FIRST_AFTER or now - self._drawn < _EVERY:
            return
        with self._lock:
            if self._over:
                return
            self._drawn = now
            if self._live is None:
                self._live = open_live()
            self._live.update(_line(progress, now - self._begun))


def _line(progress: Progress, seconds: float) -> Any:
    from rich.text import Text

    if not progress.bytes:
        return Text(f"{progress.doing} …")
    far = size(progress.bytes)
    if progress.total:
        part = min(100, 100 * progress.bytes // progress.total)
        far = f"{far} of {size(progress.total)}, {part} %"
    what = f" ({progress.what})" if progress.what else ""
    rate = f", {size(int(progress.bytes / seconds))}/s" if seconds > 1 else ""
    return Text(f"{progress.doing}: {far}{rate}{what}", overflow="ellipsis", no_wrap=True)
