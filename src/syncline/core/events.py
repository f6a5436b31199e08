"""Events: what happened, as readers of the outbox see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from syncline.core.model import ConnectionId, Json, WorkspaceId

__all__ = ["TROUBLES", "Event", "EventKind"]


class EventKind(StrEnum):
    """What can happen. All but the last are troubles: they last until they are settled."""

    RUN_FAILING = "run_failing"
    """Three runs in a row have failed. Payload: `run`, `error`."""
    AUTHENTICATION_FAILED = "authentication_failed"
    """The source refuses the credentials; the connection needs attention. Payload: `error`."""
    NEEDS_ATTENTION = "needs_attention"
    """Something else that only a person can mend, such as an option. Payload: `error`, and
    `runs_on` where it is tried again at its times."""
    DELETIONS_HELD = "deletions_held"
    """The guard holds deletions for a person to decide. Payload: `run`, `held`."""
    FRESHNESS_MISSED = "freshness_missed"
    """A connection is too far behind. Payload: `lag_seconds`, `target_seconds` (or null)."""
    JOB_DEAD = "job_dead"
    """A job has failed for good. Payload: `job`, `kind`, `error`."""
    BREAKER_OPEN = "breaker_open"
    """A host is not asked any more for a while. Payload: `host`, `until`, `error`."""
    RECOVERED = "recovered"
    """A trouble is over. Payload: its `kind`, and `since` when there was one."""


TROUBLES = frozenset(EventKind) - {EventKind.RECOVERED}
"""What lasts until it is settled."""


class Event(Struct, frozen=True):
    """A row of the outbox."""

    workspace_id: WorkspaceId
    workspace: str
    id: int
    """Of all workspaces; not the order in which they may be read."""
    kind: str
    connection_id: ConnectionId | None
    connection: str | None
    """Its name; None too where it has been removed."""
    payload: Mapping[str, Json]
    version: int
    """Of the payload."""
    created_at: datetime
