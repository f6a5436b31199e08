"""Syncing many connections at once, through the queue, and waiting for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from msgspec import Struct

from syncline.core.model import Json, Mode, WorkspaceId
from syncline.store import jobs
from syncline.store.database import Connection
from syncline.store.sync_queue import (
    Candidate,
    EndedSync,
    candidates,
    ended_syncs,
    make_sync_jobs,
    workers_alive,
)
from syncline.sync.report import exit_code_of

__all__ = ["Queued", "Synced", "queue_all", "wait_for"]

_LOOK_SECONDS = 0.5


class Synced(Struct, frozen=True):
    """What became of one connection."""

    workspace: str
    connection: str
    run: int | None
    state: str
    """As of its run; `dead` or `cancelled` where the job ended without one."""
    counts: Mapping[str, int]
    error: Mapping[str, Json] | None

    @property
    def exit_code(self) -> int:
        """As of a single sync."""
        if self.error is not None or self.state != "done":
            return 1
        return exit_code_of(self.counts)

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "workspace": self.workspace,
            "connection": self.connection,
            "run": self.run,
            "state": self.state,
            "counts": dict(self.counts),
            "error": None if self.error is None else dict(self.error),
        }


@dataclass(slots=True)
class Queued:
    """Syncs that have been asked for."""

    jobs: dict[int, Candidate]
    skipped: list[Candidate]
    """Those that rest, each with its reason."""
    workers: int
    """How many workers there are to do them."""
    ended: list[Synced] = field(default_factory=list)


async def queue_all(
    db: Connection, workspace: WorkspaceId | None, *, mode: Mode, force: bool
) -> Queued:
    """Ask for a sync of every connection that does not rest; None: of all workspaces."""
    found = await candidates(db, workspace)
    payload: dict[str, Json] = {}
    if mode is not Mode.INCREMENTAL:
        payload["mode"] = mode.value
    if force:
        payload["force"] = True
    chosen = [each for each in found if each.resting is None]
    async with db.transaction():
        made = await make_sync_jobs(db, chosen, payload)
    skipped = [each for each in found if each.resting is not None]
    return Queued(made, skipped, await workers_alive(db))


async def wait_for(
    db: Connection,
    queued: Queued,
    stop: asyncio.Event,
    on_ended: Callable[[Synced], None] = lambda synced: None,
    *,
    tend: bool = False,
) -> list[Synced]:
    """Wait until all have ended, or until `stop`; how those went that have.

    `tend`: see to it that what is to be tried again is, as a scheduler would.
    """
    left = dict(queued.jobs)
    while left and not stop.is_set():
        if tend:
            await jobs.rescue(db)
            await jobs.promote(db)
        for ended in await ended_syncs(db, left):
            synced = _synced(left.pop(ended.job), ended)
            queued.ended.append(synced)
            on_ended(synced)
        if left:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
    return queued.ended


def _synced(connection: Candidate, ended: EndedSync) -> Synced:
    without_run = ended.state != "done" or ended.run_state is None
    return Synced(
        connection.workspace,
        connection.name,
        ended.run,
        ended.state if without_run else str(ended.run_state),
        ended.counts or {},
        ended.error if ended.state != "done" else ended.run_error,
    )
