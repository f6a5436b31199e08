"""Running a command: the database opened, interruptions heard, errors told."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from syncline.cli.screen import Interrupted, note

if TYPE_CHECKING:
    from syncline.client import Syncline

__all__ = ["Interrupted", "Interruption", "end_threads", "run", "run_alone"]

T = TypeVar("T")


@dataclass(slots=True)
class Interruption:
    """What Ctrl-C and SIGTERM do: the first asks the command to stop, the second ends it."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    graceful: bool = False
    """Set while the command can stop by itself."""
    told: Callable[[str], None] = note
    task: asyncio.Task[object] | None = None

    def __call__(self) -> None:
        if self.graceful and not self.stop.is_set():
            self.stop.set()
            self.told("Stopping: what is written stays. Again to end at once.")
            return
        self.stop.set()
        if self.task is not None:
            self.task.cancel()


def run(
    command: Callable[[Syncline, Interruption], Awaitable[T]],
    *,
    workspace: str,
    data_dir: Path | None,
    meanwhile: Callable[[Syncline], object] | None = None,
) -> T:
    """Open the workspace, run the command on it, and close.

    `meanwhile` loads what the command needs while the database starts, in a thread. Raises what
    the command raises, and `Interrupted`.
    """
    from syncline.client import open  # noqa: A004 - `syncline.open()`

    async def work(interruption: Interruption) -> T:
        client = open(data_dir=data_dir, workspace=workspace)
        loading = asyncio.to_thread(meanwhile or (lambda client: None), client)
        try:
            # In a group, so that a database that does not start is not waited for in vain.
            await asyncio.gather(client.open(), loading)
            return await command(client, interruption)
        finally:
            await client.close()

    return run_alone(work)


def run_alone(work: Callable[[Interruption], Awaitable[T]]) -> T:
    """Run on an event loop that hears Ctrl-C and SIGTERM. Raises `Interrupted`."""
    with asyncio.Runner() as runner:
        return runner.run(_heard(work))


async def end_threads() -> bool:
    """End the threads that wait for blocking calls to make; the next call has new ones.

    Whether this process now has its main thread alone. One that is at work is not waited for long.
    """
    loop = asyncio.get_running_loop()
    old = _executors.get(loop)
    _executors[loop] = ThreadPoolExecutor(thread_name_prefix="syncline")
    loop.set_default_executor(_executors[loop])
    if old is not None:
        old.shutdown(wait=False)
    for _ in range(_LOOKS):
        if threading.active_count() == 1:
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    return threading.active_count() == 1


_LOOKS = 20
_LOOK_SECONDS = 0.005
_executors: WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadPoolExecutor] = WeakKeyDictionary()


async def _heard(work: Callable[[Interruption], Awaitable[T]]) -> T:
    interruption = Interruption()
    task = asyncio.ensure_future(work(interruption))
    interruption.task = task
    loop = asyncio.get_running_loop()
    _executors[loop] = ThreadPoolExecutor(thread_name_prefix="syncline")
    loop.set_default_executor(_executors[loop])
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows raises KeyboardInterrupt instead
            loop.add_signal_handler(number, interruption)
    try:
        return await task
    except asyncio.CancelledError:
        if interruption.stop.is_set():
            raise Interrupted from None
        raise
