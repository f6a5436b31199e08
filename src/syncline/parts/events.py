"""`kb.events`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.core.events import Event
    from syncline.store.events import Trouble

__all__ = ["Events"]


class Events(Part):
    """What has happened in a workspace: `kb.events`."""

    async def list(
        self, *, kinds: Sequence[str] = (), connection: str | None = None, limit: int = 50
    ) -> list[Event]:
        """The newest `limit`, oldest first; of some `kinds` of `EventKind`, of one connection."""
        from syncline.store.events import list_events
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            only = None
            if connection is not None:
                only = (await find_named(db, workspace, connection)).id
            return await list_events(db, workspace, kinds=kinds, connection=only, limit=limit)

    async def follow(self, *, every: float = 1.0) -> AsyncIterator[Event]:
        """What happens from now on, as it does; looks every so many seconds. Ends never."""
        from syncline.store.events import end_of_events, events_after

        async with self._client.session() as (db, workspace):
            position = await end_of_events(db)
            while True:
                found, position = await events_after(db, workspace, position)
                for event in found:
                    yield event
                if not found:
                    await asyncio.sleep(every)

    async def troubles(self) -> Sequence[Trouble]:
        """What is wrong now, by connection."""
        from syncline.store.events import open_troubles

        async with self._client.session() as (db, workspace):
            return await open_troubles(db, workspace)
