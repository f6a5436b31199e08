"""When a worker is to hold back: memory or processors are short. Pure decisions, and the watch.

What runs goes on. A worker that holds back begins no further job while it runs one, so that a
machine that stays short still gets on. What is short is said when it begins and when it ends.

Processors are short when *others* use them: our own work is what the machine is there for, and how
much of it there is at once is the operator's to say (BATCH_SIZE). Memory is short whoever uses it,
because where it ends the machine kills.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct

__all__ = ["Limits", "Meter", "Reading", "Throttle"]

_LOOK_SECONDS = 2.0
_AVERAGED = 5
"""Readings of the processors that count together: ten seconds."""
_EASE = 0.95
"""What is short is so until it is beneath this part of its limit: it does not flicker."""


class Reading(Struct, frozen=True):
    """How much is in use now."""

    memory: float
    """Of the machine's, or of what we may use of it: from 0 to 1."""
    ours_mb: float
    """Megabytes that our own processes use."""
    others: float
    """Of the processors' time since the last reading, what others used: from 0 to 1."""


class Meter(Protocol):
    """Reads what is in use. Takes some milliseconds, in a thread."""

    def read(self) -> Reading: ...


class Limits(Struct, frozen=True):
    """Above which of them a worker holds back."""

    memory: float = 0.9
    ours_mb: float | None = None
    others: float = 0.8


@dataclass(slots=True)
class Throttle:
    """Whether to hold back, by the latest readings."""

    limits: Limits
    on_change: Callable[[str], None] = field(default=lambda message: None)
    """Told in words when something becomes short, and when nothing is any more."""
    _short: str | None = None
    _others: list[float] = field(default_factory=list)

    @property
    def short(self) -> bool:
        """Something is short: begin no job beside one that runs."""
        return self._short is not None

    def take(self, reading: Reading) -> None:
        """Decide anew."""
        self._others = [*self._others, reading.others][-_AVERAGED:]
        was, self._short = self._short, self._shortage(reading)
        if self._short is not None and was is None:
            self.on_change(f"{self._short}: no further job is begun while one runs.")
        elif self._short is None and was is not None:
            self.on_change("Memory and processors suffice again: jobs are begun as usual.")

    def _shortage(self, reading: Reading) -> str | None:
        ease = 1.0 if self._short is None else _EASE
        limits = self.limits
        if reading.memory > limits.memory * ease:
            return (
                f"Memory is short ({reading.memory:.0%} is in use,"
                f" SYNCLINE_MEMORY_PERCENT is {limits.memory * 100:.0f})"
            )
        if limits.ours_mb is not None and reading.ours_mb > limits.ours_mb * ease:
            return (
                f"Syncline's processes use {reading.ours_mb:,.0f} MB"
                f" (SYNCLINE_MAX_MEMORY_MB is {limits.ours_mb:.0f})"
            )
        others = sum(self._others) / len(self._others)
        enough = len(self._others) == _AVERAGED
        if enough and limits.others < 1 and others > limits.others * ease:
            return (
                f"The processors are busy with other work ({others:.0%},"
                f" SYNCLINE_CPU_PERCENT is {limits.others * 100:.0f})"
            )
        return None

    async def watch(self, meter: Meter, stop: asyncio.Event) -> None:
        """Read every two seconds, until `stop` is set."""
        while not stop.is_set():
            self.take(await asyncio.to_thread(meter.read))
            try:
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
            except TimeoutError:
                pass
