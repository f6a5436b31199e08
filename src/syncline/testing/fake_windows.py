"""Quotas as sources keep them: a window begins with a request, and the next one when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from syncline.core.quota import Bucket

__all__ = ["Windows"]


@dataclass(slots=True)
class _Window:
    bucket: Bucket
    path: str
    began: float = float("-inf")
    used: int = 0

    def ends(self) -> float:
        return self.began + self.bucket.seconds


class Windows:
    """Counts requests, each in all the windows that its path belongs to."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.refused = 0
        """How many requests were one too many."""
        self._now = now
        self._windows: list[_Window] = []

    def add(self, bucket: Bucket, path: str) -> None:
        """From now on, keep this quota for what begins with `path`, in place of one as long."""
        self._windows = [
            each
            for each in self._windows
            if (each.path, each.bucket.seconds) != (path, bucket.seconds)
        ]
        self._windows.append(_Window(bucket, path))

    def enter(self, path: str) -> float:
        """Let a request in, which is 0; or the seconds until there is room for it."""
        now, wait = self._now(), 0.0
        mine = [each for each in self._windows if path.startswith(each.path)]
        for each in mine:
            if now >= each.ends():
                each.began, each.used = now, 0
            if each.used >= each.bucket.tokens:
                wait = max(wait, each.ends() - now)
        if wait > 0:
            self.refused += 1
            return wait
        for each in mine:
            each.used += 1
        return 0.0

    def told(self, path: str) -> tuple[int, int, float] | None:
        """The limit, what is left of it, and the seconds until it counts anew; of the first
        quota that this path has."""
        return self._told(each for each in self._windows if path.startswith(each.path))

    def told_of(self, path: str) -> tuple[int, int, float] | None:
        """The same, of the quota that was added for this very path."""
        return self._told(each for each in self._windows if each.path == path)

    def _told(self, windows: Iterator[_Window]) -> tuple[int, int, float] | None:
        each = next(windows, None)
        if each is None:
            return None
        now = self._now()
        over = now >= each.ends()
        left = each.bucket.tokens - (0 if over else each.used)
        return each.bucket.tokens, left, max(0.0, each.ends() - now)
