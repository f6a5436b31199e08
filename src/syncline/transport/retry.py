"""What is tried again, how often, and after how long. Decided by an error's class alone.

=====================  ===========================================================================
`RateLimited`          after the time that was told, or as for `Transient`; at once the caller's
                       where that is longer than a session's patience, or the whole host is held
`Transient`            later each time, with longer time limits each time
another `SourceError`  not at all: credentials, refusals and contents do not mend themselves
anything unforeseen    once more, with caution; then it is a `SourceError`
=====================  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias, TypeVar

from msgspec import Struct

from syncline.core.errors import HostHeld, RateLimited, SourceError, SynclineError, Transient
from syncline.core.ports import Clock

__all__ = ["Retries", "RetryPolicy", "Sleep", "retry_after_seconds"]

T = TypeVar("T")
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_LONGEST_RETRY_AFTER = 3600.0
_UNFORESEEN_TRIES = 2


class RetryPolicy(Struct, frozen=True):
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

        Raises what the last try raised; what need not be tried again at once.
        """
        started = self._clock.monotonic()
        scale = 1.0
        tries = 1
        while True:
            try:
                return await attempt(scale)
            except HostHeld:
                raise
            except (RateLimited, Transient) as error:
                wait = self._wait(error, tries, self._clock.monotonic() - started)
                if wait is None:
                    raise
                if isinstance(error, Transient):
                    scale *= self._policy.timeout_growth
            except SynclineError:
                raise
            except Exception as error:
                # A fault of a library's, or ours: it may be the answer's, so it may be gone.
                wait = self._wait(None, tries, self._clock.monotonic() - started)
                if wait is None or tries >= _UNFORESEEN_TRIES:
                    raise SourceError(
                        f"it failed in an unforeseen way ({type(error).__name__}: {error})",
                        hint="The next run tries again. If it stays so, please report it.",
                    ) from error
            tries += 1
            await self._sleep(wait)

    def _wait(self, error: SourceError | None, tries: int, elapsed: float) -> float | None:
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
