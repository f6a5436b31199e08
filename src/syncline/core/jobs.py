"""Jobs: something to be done once, by whoever claims it, and what may come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from syncline.core.model import ConnectionId, Json, WorkspaceId

__all__ = [
    "ATTEMPTS",
    "LOSSES",
    "ClaimedJob",
    "Dead",
    "Done",
    "HandedOn",
    "Handler",
    "Lost",
    "NewJob",
    "Outcome",
    "Released",
    "Retry",
    "Snooze",
    "retry_after",
]

ATTEMPTS = 3
"""How often a job is tried before it becomes a dead letter."""
LOSSES = 4
"""How often in a row a job may lose the database that others do not lose, at no cost."""
_FIRST_SECONDS = 30.0
_MOST_SECONDS = 3600.0


class NewJob(Struct, frozen=True):
    """A job to be enqueued."""

    workspace_id: WorkspaceId
    kind: str
    payload: Mapping[str, Json] = field(default_factory=dict)
    connection_id: ConnectionId | None = None
    priority: int = 0
    """The higher goes first."""
    dedupe_key: str | None = None
    """Of the live jobs with one key there is one: a second is not made."""
    limit_keys: Sequence[str] = ()
    """At most so many jobs with one of these keys run at once: its host, its credential."""
    version: int = 1
    """Of the payload."""


class ClaimedJob(Struct, frozen=True):
    """A job that is ours until the lease ends."""

    id: int
    workspace_id: WorkspaceId
    connection_id: ConnectionId | None
    kind: str
    payload: Mapping[str, Json]
    version: int
    attempts: int
    """This one included."""
    epoch: int
    owner: str
    """Whose it is: every write about the job must carry both."""


class Done(Struct, frozen=True):
    """It is done, and its row goes."""


class Retry(Struct, frozen=True):
    """It failed and is tried again after so many seconds; for the last time it is dead."""

    seconds: float
    error: Mapping[str, Json]


class Snooze(Struct, frozen=True):
    """It could not be tried yet (quota, open breaker, a lane that is taken): not counted."""

    seconds: float
    reason: Mapping[str, Json]


class Lost(Struct, frozen=True):
    """The database went away in its middle: not counted, for that is seldom a job's fault.

    One that loses it again and again, while other jobs do not, is tried as one that fails.
    """

    seconds: float
    """Until it is tried again; twice as long after each further loss in a row."""
    error: Mapping[str, Json]


class Released(Struct, frozen=True):
    """It is given back, to be claimed by another at once: not counted."""


class HandedOn(Struct, frozen=True):
    """Its row says already what comes next: who did it has written that with what it did."""


class Dead(Struct, frozen=True):
    """It failed for good, and is kept with its cause."""

    error: Mapping[str, Json]


Outcome: TypeAlias = Done | Retry | Snooze | Lost | Released | HandedOn | Dead

Handler: TypeAlias = Callable[[ClaimedJob, asyncio.Event], Awaitable[Outcome]]
"""Does a job. Its second argument is set when it should stop early: because the worker drains, or
a person has cancelled it. What it raises is an error that is tried again."""


def retry_after(attempts: int, *, chance: float) -> float:
    """Seconds until the next attempt: 30 · 2ⁿ, at most an hour, less up to a quarter.

    `attempts` counts those that were made, from 1; `chance` is a random number from 0 to 1.
    """
    return min(_FIRST_SECONDS * 2.0 ** (attempts - 1), _MOST_SECONDS) * (1 - chance / 4)
