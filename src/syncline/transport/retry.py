"""What is tried again, how often, and after how long. Decided by an error's class alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias, TypeVar

from syncline.core.errors import RateLimited, SourceError, Transient
from syncline.core.ports import Clock

__all__ = ["Retries", "RetryPolicy", "Sleep", "retry_after_seconds"]

T = TypeVar("T")
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_LONGEST_RETRY_AFTER = 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a session is. Times in seconds."""

    attempts: int = 4
    first_wait: float = 0.5
    """Doubled each time, times a random factor between 0.5 and 1.5."""
    longest_wait: float = 20
    patience: float = 60
    """A longer `Retry-After` is handed to the caller, who can do something else meanwhile."""
    budget: float = 180
    """No further attempt begins once this much time has gone by."""
    timeout_growth: float = 1.5
    """Time limits grow by this after each network error: slow is not dead."""


class Retries:
    """Runs a request until it succeeds, fails for good, or has been tried enough."""

    def __init__(
        self, policy: RetryPolicy, *, clock: Clock, sleep: Sleep, random: Callable[[], float]
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._random = random

    async def run(self, attempt: Callable[[float], Awaitable[T]]) -> T:
        """`attempt(scale)` does one try, with its time limits multiplied by `scale`.

        Raises what the last try raised; other errors than `RateLimited` and `Transient`
        at once.
        """
        started = self._clock.monotonic()
        scale = 1.0
        tries = 1
        while True:
            try:
                return await attempt(scale)
            except (RateLimited, Transient) as error:
                wait = self._wait(error, tries, self._clock.monotonic() - started)
                if wait is None:
                    raise
                if isinstance(error, Transient):
                    scale *= self._policy.timeout_growth
            tries += 1
            await self._sleep(wait)

    def _wait(self, error: SourceError, tries: int, elapsed: float) -> float | None:
        """Seconds until the next try, or None when there is to be none."""
        policy = self._policy
        if tries >= policy.attempts:
            return None
        jitter = 0.5 + self._random()
        wait = min(policy.first_wait * 2 ** (tries - 1), policy.longest_wait) * jitter
        if isinstance(error, RateLimited) and error.retry_after is not None:
            if error.retry_after > policy.patience:
                return None
            # Waiters told the same second must not all come back in it.
            wait = error.retry_after + policy.first_wait * jitter
        return wait if elapsed + wait <= policy.budget else None


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """A Retry-After header in seconds, 0 to one hour; None when absent or unreadable."""
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.lstrip("-+").replace(".", "", 1).isdigit():
        # Before the conversion, for thousands of digits are a number too.
        seconds = float(text[:20])
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - now).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
