"""What `syncline db info` shows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from syncline.cli.screen import bold, counted, local_time, say, shown, size, table

if TYPE_CHECKING:
    from syncline.databases import DatabaseInfo
    from syncline.store.sizes import Holdings

__all__ = ["print_info"]


def print_info(found: DatabaseInfo) -> None:
    """A database at a glance, for people."""
    holdings = found.holdings
    say(f"{bold(shown(found.address))}")
    say(f"  PostgreSQL {found.postgres}, pgvector {found.pgvector}, schema {found.revision}")
    say(
        f"  {counted(holdings.workspaces, 'workspace')}, "
        f"{counted(holdings.connections, 'connection')}, "
        f"{counted(holdings.documents, 'document')}, {_jobs(holdings)}"
    )
    say(f"  {size(found.database_bytes)}, Syncline's tables {size(found.syncline_bytes)}:")
    say()
    table(
        ("table", "rows", "size"),
        [(each.name, f"about {each.rows}", size(each.bytes)) for each in found.tables],
        right="lrr",
    )
    say()
    if found.held_by is not None:
        say(f"Held up by `syncline up`, process {found.held_by}.")
    if found.used_by:
        say(f"Used by the processes {', '.join(map(str, found.used_by))}.")
    if found.sessions:
        say(f"Connected: {shown(', '.join(found.sessions))}.")
    if found.newer is not None:
        say(f"PostgreSQL {found.newer} comes with this Syncline: syncline db upgrade")
    last = found.last_backup
    if last is None:
        say("No backup that this machine knows of: syncline db backup FOLDER")
    else:
        when = local_time(datetime.fromisoformat(last.made_at))
        say(f"Last backup: {when}, {size(last.bytes)}, {shown(last.path)}")


def _jobs(holdings: Holdings) -> str:
    states = ", ".join(f"{jobs} {state}" for state, jobs in sorted(holdings.jobs.items()))
    return f"jobs: {states}" if states else "no jobs"
