"""Who of Syncline's own works with a database: every session of ours has a name that says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

__all__ = ["users_of"]


def users_of(db: psycopg.Connection[Any], ours: Sequence[int]) -> list[str]:
    """The other sessions of Syncline's in this database, by name and process of the server.

    `ours` are the server's processes of sessions that do not count, besides `db` itself. A
    host application's sessions are its own business.
    """
    found = db.execute(
        "SELECT application_name || ' (' || pid || ')' FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name ~ '^syncline'"
        " AND pid <> pg_backend_pid() AND pid <> ALL (%s) ORDER BY pid",
        (list(ours),),
    )
    return [row[0] for row in found.fetchall()]
