"""What runs there were, and what one of them has to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from syncline.core.errors import UsageError
from syncline.core.model import ConnectionId, Json, RunId, WorkspaceId
from syncline.core.status import status_of
from syncline.store.database import Connection
from syncline.store.runs_read import (
    ReportLine,
    RunRow,
    count_lines,
    find_run,
    list_runs,
    read_lines,
)
from syncline.sync.progress import RunProgress, progress_of

__all__ = ["RunReport", "RunSummary", "read_run", "read_runs"]


class RunSummary(Struct, frozen=True):
    """One run in a list."""

    row: RunRow

    @property
    def progress(self) -> RunProgress | None:
        """How far it is, while it is under way."""
        return progress_of(self.row.progress) if self.row.state == "running" else None

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        row = self.row
        seconds = None
        if row.ended_at is not None:
            seconds = round((row.ended_at - row.started_at).total_seconds(), 3)
        return {
            "id": row.id,
            "connection": row.connection,
            "lane": row.lane,
            "mode": row.mode,
            "state": row.state,
            "status": status_of(row.state).value,
            "started_at": row.started_at.isoformat(),
            "ended_at": None if row.ended_at is None else row.ended_at.isoformat(),
            "seconds": seconds,
            "owner": row.owner,
            "counts": dict(row.counts),
            "error": None if row.error is None else dict(row.error),
            "progress": None if self.progress is None else self.progress.as_json(),
        }


class RunReport(Struct, frozen=True):
    """One run with its lines, grouped by kind."""

    row: RunRow
    totals: Mapping[str, int]
    """How many lines there are of each kind."""
    lines: Mapping[str, Sequence[ReportLine]]
    """A page of them."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return RunSummary(self.row).as_json() | {
            "items": {
                kind: {
                    "total": total,
                    "shown": [
                        {"entry": line.entry_id, "reason": line.reason, "detail": line.detail}
                        for line in self.lines.get(kind, ())
                    ],
                }
                for kind, total in self.totals.items()
            }
        }


async def read_runs(
    db: Connection,
    workspace: WorkspaceId,
    *,
    connection: ConnectionId | None = None,
    limit: int = 20,
) -> list[RunSummary]:
    """The newest runs first."""
    rows = await list_runs(db, workspace, connection=connection, limit=limit)
    return [RunSummary(row) for row in rows]


async def read_run(
    db: Connection,
    workspace: WorkspaceId,
    run: int,
    *,
    kind: str | None = None,
    limit: int = 20,
    offset: int = 0,
) -> RunReport:
    """One run with up to `limit` lines of each kind, or of one kind, from `offset` on.

    Raises `NotHere` for a run that is not there, `UsageError` for a kind that it has no lines of.
    """
    row = await find_run(db, workspace, run)
    totals = await count_lines(db, workspace, RunId(run))
    if kind is not None and kind not in totals:
        there = ", ".join(totals) or "none"
        raise UsageError(
            f"Run {run} has no lines of the kind {kind!r}.", hint=f"There are: {there}."
        )
    lines = {
        each: await read_lines(db, workspace, RunId(run), each, limit=limit, offset=offset)
        for each in ([kind] if kind else totals)
    }
    return RunReport(row, totals, lines)
