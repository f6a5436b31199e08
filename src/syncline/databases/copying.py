"""What backup, restore and move share: a long copy in a thread, which can be watched and ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import psycopg
from msgspec import Struct

from syncline.core.errors import StoreError
from syncline.store.transfer import Stopped, Watch

__all__ = ["OnProgress", "Progress", "in_thread", "watched"]

T = TypeVar("T")


class Progress(Struct, frozen=True):
    """How far it is. `bytes` is 0 where nothing is counted; `total` is known beforehand or not."""

    doing: str
    what: str
    """The table, where it is at one."""
    bytes: int
    total: int | None = None


OnProgress = Callable[[Progress], object]
"""Called for each block, mostly from another thread."""


def watched(doing: str, on_progress: OnProgress | None, total: int | None = None) -> Watch:
    """A watch that tells how far it is."""
    if on_progress is None:
        return Watch(doing)
    return Watch(doing, lambda doing, what, moved: on_progress(Progress(doing, what, moved, total)))


async def in_thread(watch: Watch, work: Callable[[], T]) -> T:
    """Run `work` in a thread. When this is cancelled, it is stopped, and waited for: whatever it
    has begun is undone by then. Raises what it raises, and `StoreError` for what the database
    refuses."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.to_thread(watch.stop)
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()  # it is ours that counts
        raise
    except Stopped:
        raise asyncio.CancelledError from None
    except psycopg.Error as error:
        lines = str(error).strip().splitlines()
        raise StoreError(
            f"{watch.doing}: the database could not go on: {lines[0] if lines else error!r}",
            hint="What was there is as it was. `syncline doctor` looks for the cause.",
        ) from error
