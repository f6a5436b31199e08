"""What a test looks at in the store, by the names that entries have at the source."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from syncline.store.connections import replace_connection
from tests.support.syncs import Syncs

__all__ = ["configure", "documents", "items", "manifest", "query"]


async def query(syncs: Syncs, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows, with the workspace's id as the first parameter."""
    async with syncs.tools.database.connection() as db:
        found = await db.execute(statement.encode(), (syncs.row.workspace_id, *values))
        return await found.fetchall()


async def documents(syncs: Syncs, state: str = "live") -> dict[str, str]:
    """The texts of the documents in this state, by entry id."""
    rows = await query(
        syncs,
        "SELECT d.entry_id, c.text FROM documents d JOIN contents c"
        " ON c.workspace_id = d.workspace_id AND c.id = d.content_id"
        " WHERE d.workspace_id = %s AND d.state = %s ORDER BY 1",
        state,
    )
    return {row[0]: row[1] for row in rows}


async def manifest(syncs: Syncs, entry: str) -> dict[str, Any]:
    """One entry's row; empty where there is none."""
    names = ("state", "reason", "version", "failures", "gone", "gone_reason", "alias_of")
    rows = await query(
        syncs,
        f"SELECT {', '.join(names)} FROM manifest WHERE workspace_id = %s AND entry_id = %s",
        entry,
    )
    return dict(zip(names, rows[0], strict=True)) if rows else {}


async def items(syncs: Syncs, run: int | None, kind: str) -> dict[str, str]:
    """The reasons in a run's report, by entry id."""
    rows = await query(
        syncs,
        "SELECT entry_id, reason FROM run_items WHERE workspace_id = %s AND run_id = %s"
        " AND kind = %s ORDER BY n",
        run,
        kind,
    )
    return {row[0]: row[1] for row in rows}


async def configure(syncs: Syncs, **changes: Any) -> None:
    """Edit the connection between two runs."""
    async with syncs.tools.database.connection() as db:
        syncs.row = await replace_connection(db, replace(syncs.row, **changes))
