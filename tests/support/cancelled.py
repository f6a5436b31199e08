"""Cancelling a coroutine at the nth place where it waits, for every n."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Generator
from typing import Any

__all__ = ["Cancelled"]


class Cancelled:
    """Awaits `work` in the running task, which it has cancelled at these of its waits.

    `late`: what is waited for has come by then, and the task was about to be told.
    """

    def __init__(
        self, work: Coroutine[Any, Any, None], at: Collection[int], *, late: bool = False
    ) -> None:
        self._work = work
        self._at = at
        self._late = late
        self.waits = 0
        """How many there were."""

    def __await__(self) -> Generator[Any, Any, None]:
        step, given = self._work.send, None
        while True:
            try:
                waited_for = step(given)
            except StopIteration:
                return
            self.waits += 1
            if self.waits in self._at:
                self._cancel(waited_for)
            try:
                yield waited_for
                step, given = self._work.send, None
            except BaseException as error:  # noqa: BLE001 - the work's, as a task would hand it on
                step, given = self._work.throw, error

    def _cancel(self, waited_for: asyncio.Future[Any] | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._late and waited_for is not None:
            waited_for.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()
