"""`kb.connections`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from syncline.core.model import ConnectionId
from syncline.parts import Part
from syncline.parts.wished import Wished, asked
from syncline.store.connections import ConnectionRow, list_connections, remove_connection

if TYPE_CHECKING:
    from syncline.store.breakers import OpenBreaker
    from syncline.store.timetable import Times
    from syncline.sync.checking import Checked

__all__ = ["Connections"]


class Connections(Part):
    """A workspace's connections: `kb.connections`."""

    async def list(self) -> list[ConnectionRow]:
        """All of them, by name."""
        async with self._client.session() as (db, workspace):
            return await list_connections(db, workspace)

    async def find(self, name: str) -> ConnectionRow:
        """The one of this name, source or id. Raises `NotHere`."""
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            return await find_named(db, workspace, name)

    async def add(
        self,
        source: str | os.PathLike[str],
        **wishes: Unpack[Wished],
    ) -> ConnectionRow:
        """The connection to a source, made if it is not there, changed in what is given."""
        from syncline.sync.sources import connect_source

        tools = self._client.load_tools()
        async with self._client.database.connection() as db:
            row, _ = await connect_source(
                db,
                self._client.workspace,
                tools.opener.registry,
                tools.vault,
                str(source),
                asked(wishes),
            )
        return row

    async def define(
        self,
        source: str | os.PathLike[str],
        *,
        schedule: str = "daily 02:00 Australia/Sydney",
        within: str | None = "32h",
        deletions: bool = False,
        **wishes: Unpack[Wished],
    ) -> ConnectionRow:
        """A connection that a program defines each time it starts: made, or brought to this.

        It is synced once a day however often the program starts, reads what changed `within` so
        long (None: everything), and deletes only with `deletions`. Raises as `add` and `schedule`.
        """
        from syncline.scheduling.text import describe, parse

        wanted = describe(parse(schedule))
        window = {} if within is None else {"updated_within": within}
        wishes["filter"] = {**window, **(wishes.get("filter") or {})}
        wishes["keep_deleted"] = not deletions
        row = await self.add(source, **wishes)
        if (await self.times())[row.id].schedule != wanted:
            # Only then: its next slot is found anew.
            await self.schedule(row.name, wanted)
        return row

    async def edit(self, connection: str, **wishes: Unpack[Wished]) -> ConnectionRow:
        """Change what is given of a connection; `name` is its new name.

        Raises `NotHere`, `UsageError` and `ConfigurationError`: then nothing has changed.
        """
        from syncline.sync.sources import edit_connection, find_named

        tools = self._client.load_tools()
        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, connection)
            return await edit_connection(db, tools.opener.registry, tools.vault, row, asked(wishes))

    async def check(self, name: str) -> Checked:
        """Prove that its source is there and lets us in, and tell what of it we may read.

        Raises a `SourceError` if it is not there, or does not let us in at all.
        """
        from syncline.sync.checking import check_source
        from syncline.sync.secrets import secrets_for
        from syncline.sync.sources import find_named
        from syncline.sync.tokens import StoredTokens

        tools = self._client.load_tools()
        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            spec = tools.opener.spec(row.kind)
            secrets = await secrets_for(db, tools.vault, spec, workspace, row.id)
        async with tools.opener.open(
            row.kind,
            row.options,
            row.options_version,
            secrets.values,
            tokens=StoredTokens(tools.database.connection, tools.vault, row.workspace_id, row.id),
        ) as connector:
            return await check_source(connector)

    async def secrets(self, name: str) -> Sequence[str]:
        """The names of the secrets that a connection has; nobody is ever shown the values.

        Raises `ConfigurationError` where their key is not here.
        """
        from syncline.sync.secrets import open_secrets
        from syncline.sync.sources import find_named

        vault = self._client.load_tools().vault
        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            return sorted(await open_secrets(db, vault, workspace, row.id))

    async def last_listed(self, row: ConnectionRow) -> int | None:
        """How many entries its last complete run listed; None before the first."""
        from syncline.store.status_read import last_listed

        async with self._client.database.connection() as db:
            return await last_listed(db, row.workspace_id, row.id)

    async def times(self) -> Mapping[ConnectionId, Times]:
        """How each connection runs by itself, by id: schedule, pause, next slot."""
        from syncline.store.timetable import times_of

        async with self._client.session() as (db, workspace):
            return await times_of(db, workspace)

    async def breakers(self) -> Mapping[ConnectionId, Sequence[OpenBreaker]]:
        """The hosts that are not asked at present because they fail, by connection."""
        from syncline.store.breakers import open_breakers

        async with self._client.session() as (db, workspace):
            return await open_breakers(db, workspace)

    async def schedule(self, name: str, schedule: str | None) -> str | None:
        """Say when `syncline up` syncs it: `every 15m`, `daily 02:00 Europe/Berlin`, `manual`.

        None: as the settings say. Answers the schedule as it is stored. Raises `UsageError`.
        """
        from syncline.scheduling.text import describe, parse
        from syncline.store.timetable import set_schedule
        from syncline.sync.sources import find_named

        stored = None if schedule is None else describe(parse(schedule))
        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await set_schedule(db, workspace, row.id, stored)
        return stored

    async def freshness(self, name: str, seconds: float | None) -> ConnectionRow:
        """Say how old it may become before its freshness is missed; None: as it is scheduled."""
        from syncline.store.timetable import set_freshness
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await set_freshness(
                db, workspace, row.id, None if seconds is None else max(1, round(seconds))
            )
        return row

    async def pause(self, name: str) -> ConnectionRow:
        """No runs by itself, until it is resumed. A run that is under way goes on."""
        from syncline.store.timetable import pause
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await pause(db, workspace, row.id)
        return row

    async def resume(self, name: str) -> ConnectionRow:
        """Runs by itself again, after a pause or what needed attention.

        Hosts that were left alone because they failed are asked again.
        """
        from syncline.store.breakers import close_breakers
        from syncline.store.timetable import resume
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await close_breakers(db, workspace, row.id)
            await resume(db, workspace, row.id)
        return row

    async def remove(self, name: str) -> int:
        """Remove a connection with its documents, for good; answer how many those were."""
        from syncline.store.contents import collect_orphans
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            removed = await remove_connection(db, workspace, row.id)
            while await collect_orphans(db, workspace):
                pass
            return removed
