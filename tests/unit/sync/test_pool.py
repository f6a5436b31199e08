"""Workers are shared by runs: one at a time has each, and what a run leaves with one is closed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from syncline.sync import pool as pools
from syncline.sync.nursery import Nursery
from syncline.sync.pool import WorkerPool
from syncline.sync.work import BatchDone

_CONTEXT: Any = None


class _Worker:
    """Answers when it is let, and fails when it is asked by two at once."""

    def __init__(self, process: object) -> None:
        self.contexts: set[int] = set()
        self.over: set[int] = set()
        self.asked: list[tuple[Any, ...]] = []
        self.held: asyncio.Event | None = None
        self._asked = asyncio.Event()
        self._busy = False

    async def ask(self, message: tuple[Any, ...]) -> tuple[Any, ...]:
        assert not self._busy, "two talk to it at once"
        self._busy = True
        self.asked.append(message[:2])
        self._asked.set()
        if self.held is not None:
            await self.held.wait()
        self._busy = False
        return {"open": ("opened",), "close": ("closed",)}.get(message[0], ("done", BatchDone({})))

    async def until_asked(self) -> None:
        self._asked.clear()
        await asyncio.wait_for(self._asked.wait(), 5)

    async def end(self, *, kill: bool) -> int:
        return 0


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[_Worker]:
    """The workers that there are, in the order in which they were made."""
    made: list[_Worker] = []

    def make(process: object) -> _Worker:
        made.append(_Worker(process))
        return made[-1]

    async def process(self: object) -> None:
        return None

    monkeypatch.setattr(pools, "_Worker", make)
    monkeypatch.setattr(Nursery, "make", process)
    return made


async def test_a_worker_that_closes_a_run_is_not_given_to_another(made: list[_Worker]) -> None:
    """Until it has closed it."""
    pool = WorkerPool({}, size=2, batch_seconds=60)
    await pool.run(1, _CONTEXT, 1, [])
    (worker,) = made
    worker.held = asyncio.Event()
    forgetting = asyncio.create_task(pool.forget(1))
    await worker.until_asked()
    await pool.run(2, _CONTEXT, 1, [])
    assert len(made) == 2
    worker.held.set()
    await forgetting
    assert worker.asked == [("open", 1), ("batch", 1), ("close", 1)]


async def test_a_worker_that_is_busy_closes_what_is_over_when_it_is_done(
    made: list[_Worker],
) -> None:
    """A run that ends while its worker prepares another's batch leaves nothing open for ever."""
    pool = WorkerPool({}, size=1, batch_seconds=60)
    await pool.run(1, _CONTEXT, 1, [])
    (worker,) = made
    worker.held = asyncio.Event()
    running = asyncio.create_task(pool.run(2, _CONTEXT, 1, []))
    await worker.until_asked()
    await pool.forget(1)
    worker.held.set()
    await running
    assert worker.asked[-1] == ("close", 1)
    assert worker.contexts == {2}
