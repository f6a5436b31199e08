"""Which database is in use, what is in it, and who works with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from syncline.core.model import Json
from syncline.databases.last_backup import LastBackup, read_last_backup
from syncline.settings import Settings
from syncline.store.database import Database, shown_address
from syncline.store.embedded.binaries import NEWEST
from syncline.store.embedded.holder import Holder
from syncline.store.inspection import inspect_database
from syncline.store.presence import users_of
from syncline.store.sizes import (
    Holdings,
    TableSize,
    count_holdings,
    largest_tables,
    total_sizes,
)
from syncline.store.transfer import open_session

__all__ = ["DatabaseInfo", "read_info"]


class DatabaseInfo(Struct, frozen=True):
    """A database at a glance. Sizes are bytes."""

    address: str
    """Without a password."""
    bundled: bool
    data_folder: Path | None
    """Of the bundled one."""
    postgres: str
    newer: str | None
    """The major version that the bundled one could be upgraded to."""
    pgvector: str | None
    revision: str
    database_bytes: int
    """All of the database, a host application's tables included."""
    syncline_bytes: int
    tables: list[TableSize]
    """The largest first."""
    holdings: Holdings
    sessions: list[str]
    """Others of Syncline's that are connected, by name and process of the server."""
    held_by: int | None
    """The process of `syncline up`, where it holds the bundled server."""
    used_by: list[int]
    """The other processes that use the bundled server."""
    last_backup: LastBackup | None

    def as_json(self) -> Mapping[str, Json]:
        """The documented fields."""
        backup = self.last_backup
        return {
            "address": self.address,
            "bundled": self.bundled,
            "data_folder": None if self.data_folder is None else str(self.data_folder),
            "postgres": self.postgres,
            "newer": self.newer,
            "pgvector": self.pgvector,
            "revision": self.revision,
            "database_bytes": self.database_bytes,
            "syncline_bytes": self.syncline_bytes,
            "tables": [asdict(table) for table in self.tables],
            "workspaces": self.holdings.workspaces,
            "connections": self.holdings.connections,
            "documents": self.holdings.documents,
            "jobs": dict(self.holdings.jobs),
            "sessions": list(self.sessions),
            "held_by": self.held_by,
            "used_by": list(self.used_by),
            "last_backup": None if backup is None else backup.model_dump(exclude={"address"}),
        }


async def read_info(settings: Settings, *, tables: int = 8) -> DatabaseInfo:
    """Look at the settings' database, and its `tables` largest tables.

    Starts the bundled one if need be. Raises `DatabaseUnavailable`, `SchemaMismatch`.
    """
    async with Database(settings) as database:
        async with database.connection() as db:
            facts = await inspect_database(db)
            whole, ours = await total_sizes(db)
            largest = await largest_tables(db, limit=tables)
            holdings = await count_holdings(db)
            sessions = await asyncio.to_thread(_sessions, database, db.info.backend_pid)
        server = database.server
        return DatabaseInfo(
            address=shown_address(settings),
            bundled=server is not None,
            data_folder=None if server is None else settings.data_dir,
            postgres=facts.server,
            newer=None if server is None or facts.server.startswith(f"{NEWEST}.") else NEWEST,
            pgvector=facts.pgvector,
            revision=facts.revision,
            database_bytes=whole,
            syncline_bytes=ours,
            tables=largest,
            holdings=holdings,
            sessions=sessions,
            held_by=None if server is None else Holder(settings).pid(),
            used_by=[] if server is None else [p for p in server.users() if p != os.getpid()],
            last_backup=read_last_backup(settings),
        )


def _sessions(database: Database, ours: int) -> list[str]:
    with open_session(database.owner_parameters, "syncline info") as db:
        return users_of(db, [ours])
