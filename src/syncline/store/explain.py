"""What a database's error means to a person. Never its details: they hold values, so content."""

from __future__ import annotations

import psycopg

from syncline.core.errors import DatabaseLost, DatabaseUnavailable, StoreError

__all__ = ["explain"]

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
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return DatabaseLost(f"The database went away: {text}", hint=_STAYS)
    return StoreError(f"The database refused a statement: {text}", hint=_STAYS)
