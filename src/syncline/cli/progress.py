"""What a run is doing, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from syncline.cli.screen import is_terminal, note, shown, span, width

if TYPE_CHECKING:
    from syncline.sync.report import Progress

__all__ = ["Counter", "Meter", "open_live"]

_FIRST_AFTER = 0.4
"""Seconds: a run that is over by then needs no display."""
_EVERY = 0.1
_STEADY_AFTER = 3.0
"""Seconds: an estimate before that says nothing."""


class Meter:
    """A live line on standard error, where that is a terminal and nobody asked for quiet.

    A context manager; hand `update` to the run. `total` is how many entries are expected.
    """

    def __init__(self, title: str, *, total: int | None, quiet: bool) -> None:
        self._title = title
        self._total = total
        self._wanted = not quiet and is_terminal(sys.stderr)
        self._live: Any = None
        self._started = time.monotonic()
        self._drawn = 0.0

    @property
    def update(self) -> Callable[[Progress], None] | None:
        """What the run calls; None where nobody watches."""
        return self._update if self._wanted else None

    def tell(self, message: str) -> None:
        """A line that stays, above the live one."""
        if self._live is not None:
            self._live.console.print(message, highlight=False, markup=False)
        else:
            note(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _update(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._started < _FIRST_AFTER or now - self._drawn < _EVERY:
            return
        self._drawn = now
        if self._live is None:
            self._live = open_live()
        self._live.update(self._line(progress, now - self._started))

    def _line(self, progress: Progress, seconds: float) -> Any:
        from rich.text import Text

        parts = [f"{progress.listed} listed", f"{progress.changed} changed"]
        parts.append(f"{progress.written} written")
        if progress.settled and seconds > 1:
            parts.append(f"{progress.settled / seconds:.0f}/s")
        left = self._left(progress, seconds)
        if left is not None:
            parts.append(f"about {span(left)} left")
        line = f"{shown(self._title)}: {', '.join(parts)}"
        message = shown(progress.message)
        room = width() - len(line) - 6
        if message and room > 10:
            line += f"  ({shown(message, most=room)})"
        return Text(line, overflow="ellipsis", no_wrap=True)

    def _left(self, progress: Progress, seconds: float) -> float | None:
        """Seconds to go, where the last run tells how many entries there are."""
        if self._total is None or seconds < _STEADY_AFTER or not progress.settled:
            return None
        to_do = max(self._total, progress.listed) - progress.settled
        return None if to_do <= 0 else to_do * seconds / progress.settled


class Counter:
    """A live line with one number on standard error, where that is a terminal."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self._what = what
        self._wanted = not quiet and is_terminal(sys.stderr)
        self._live: Any = None
        self._started = time.monotonic()

    @property
    def update(self) -> Callable[[int], None] | None:
        """What is told of the number; None where nobody watches."""
        return self._update if self._wanted else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _update(self, number: int) -> None:
        seconds = time.monotonic() - self._started
        if seconds < _FIRST_AFTER:
            return
        if self._live is None:
            self._live = open_live()
        self._live.update(f"{number} {self._what}, {number / seconds:.0f}/s")


def open_live() -> Any:
    """A line on standard error that can be written anew, and is gone when it is stopped."""
    from rich.console import Console
    from rich.live import Live

    live = Live(console=Console(stderr=True), transient=True, refresh_per_second=8)
    live.start()
    return live
