"""What a run is asked for, and what it works with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from syncline.core.model import Mode, Partition
from syncline.core.ports import EmbedderInfo
from syncline.security.vault import Vault
from syncline.store.connections import ConnectionRow
from syncline.store.database import Database
from syncline.sync.opening import ConnectorOpener
from syncline.sync.pool import WorkerPool
from syncline.sync.report import Progress
from syncline.sync.secrets import Credentials

if TYPE_CHECKING:
    from syncline.sync.stage import Stage

__all__ = ["RunRequest", "ShareOut", "Tools"]

ShareOut: TypeAlias = "Callable[[Stage, Sequence[Partition]], Awaitable[None]]"
"""Lets others read these partitions, and close the run after that. Raises `Fenced`."""


class Tools(Struct, frozen=True):
    """What a run works with. Built by `bootstrap`."""

    database: Database
    opener: ConnectorOpener
    pool: WorkerPool
    embedder: EmbedderInfo
    vault: Vault
    started: float = field(default_factory=time.monotonic)
    """When the process was set up: of two, the younger one's embedder is wanted."""


class RunRequest(Struct, frozen=True):
    """Which pass is wanted."""

    connection: ConnectionRow
    mode: Mode = Mode.INCREMENTAL
    secrets: Credentials | None = None
    """In place of those that are stored: of a plan for a connection that is not there yet."""
    partitions: Sequence[str] = ()
    """Of a backfill: only these; all where none is named."""
    since: datetime | None = None
    """Of a backfill: only what was updated then or later."""
    began: datetime | None = None
    """Of a run that many share: when it was opened, which its filter's window goes by."""
    wait: bool = False
    """Wait for another run of the lane to end, instead of being refused."""
    force: bool = False
    """End another run of the lane, and start."""
    share_out: ShareOut | None = None
    """Where there are workers: how a run of several partitions becomes jobs."""
    on_progress: Callable[[Progress], None] = field(default=lambda progress: None)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end early: what is written stays, and the next run goes on from there."""
