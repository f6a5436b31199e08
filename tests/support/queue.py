"""What tests of the queue share: a workspace's jobs, and a clock that can be moved."""

from __future__ import annotations

from typing import Any

from syncline.core.jobs import NewJob
from syncline.core.model import WorkspaceId
from syncline.store import jobs
from syncline.store.database import Connection

__all__ = ["claim", "empty_queue", "job", "rows", "shift_clock", "states"]


def job(workspace: WorkspaceId, number: int = 0, **more: Any) -> NewJob:
    """A job that does nothing."""
    return NewJob(workspace, "noop", {"n": number}, **more)


async def empty_queue(db: Connection) -> None:
    """The queue is everybody's: a test that claims wants nobody else's jobs in it."""
    await db.execute("DELETE FROM jobs")


async def shift_clock(db: Connection, seconds: float) -> None:
    """Let this session believe that it is later by so many seconds."""
    await db.execute("SELECT set_config('syncline.clock_shift', %s, false)", (f"{seconds} s",))


async def undo_claim(db: Connection, job: int) -> None:
    """As a crash of the server does that comes before the claim is on the disk."""
    await db.execute(
        "UPDATE jobs SET state = 'ready', epoch = epoch - 1, attempts = attempts - 1,"
        " owner = NULL, lease_until = NULL WHERE id = %s",
        (job,),
    )


async def rows(db: Connection, workspace: WorkspaceId) -> list[tuple[int, str, int, int]]:
    """Id, state, attempts and epoch, by id."""
    found = await db.execute(
        "SELECT id, state, attempts, epoch FROM jobs WHERE workspace_id = %s ORDER BY id",
        (workspace,),
    )
    return [(row[0], row[1], row[2], row[3]) for row in await found.fetchall()]


async def states(db: Connection, workspace: WorkspaceId) -> list[str]:
    """By id."""
    return [row[1] for row in await rows(db, workspace)]


async def claim(db: Connection, owner: str = "us", *, most: int = 10, per_key: int = 100) -> Any:
    """As a worker does."""
    return await jobs.claim(db, owner, most=most, per_key=per_key)
