"""Something that is asked for once, when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Once"]

V = TypeVar("V")


class Once(Generic[V]):
    """Called, it answers what `ask` answered to who came first; the others wait for that.

    An error is raised to who came first, and the next one asks again.
    """

    def __init__(self, ask: Callable[[], Awaitable[V]]) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()
        self._answers: list[V] = []

    async def __call__(self) -> V:
        async with self._lock:
            if not self._answers:
                self._answers.append(await self._ask())
        return self._answers[0]
