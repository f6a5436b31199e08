"""What a database's error means to a person. Never its details: they hold values, so content."""

from __future__ import annotations

import psycopg

from syncline.core.errors import DatabaseLost, DatabaseUnavailable, StoreError

__all__ = ["explain"]

_REFUSALS = ("40", "54", "55", "57014")
"""Of those that psycopg calls operational: SQLSTATEs, or what they begin with."""
_STAYS = "What was stored stays. Sync again: it goes on from there."


def explain(error: psycopg.Error) -> StoreError:
    """The error as one of ours, with what to do next."""
    text = error.diag.message_primary or (str(error).strip().splitlines() or [""])[0]
    match error:
        case psycopg.errors.DiskFull():
            return DatabaseUnavailable(
                f"The database's disk is full: {text}",
                hint="Free some space (`syncline doctor` shows where the data lies). " + _STAYS,
            )
        case psycopg.errors.TooManyConnections():
            return DatabaseUnavailable(
                f"The database takes no more connections: {text}",
                hint="Raise its max_connections, or run fewer workers (SYNCLINE_WORKERS). "
                + _STAYS,
            )
        case psycopg.errors.InsufficientPrivilege() | psycopg.errors.ReadOnlySqlTransaction():
            return StoreError(
                f"The database does not let Syncline write: {text}",
                hint="`syncline doctor` checks the rights of its role.",
            )
        case psycopg.errors.LockNotAvailable():
            return DatabaseUnavailable(
                f"Somebody else holds what is to be written in the database: {text}",
                hint="It is tried again. What holds it is in pg_locks. " + _STAYS,
            )
        case psycopg.OperationalError() | psycopg.InterfaceError() if not _is_refusal(error):
            return DatabaseLost(f"The database went away: {text}", hint=_STAYS)
    return StoreError(f"The database refused a statement: {text}", hint=_STAYS)


def _is_refusal(error: psycopg.Error) -> bool:
    """Whether the database is there, and refuses this statement: it has found a limit of its own,
    a deadlock, or somebody who cancelled it."""
    return (error.sqlstate or "").startswith(_REFUSALS)
