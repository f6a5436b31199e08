"""After a change of the model: passages that lack its embedding get one, from what is stored.

Until all have it, searches ask both models; then the other one's embeddings go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct, field

from syncline.core.errors import ConfigurationError, SourceError
from syncline.core.model import WorkspaceId
from syncline.core.ports import Embedder, EmbedderInfo
from syncline.core.redaction import redact
from syncline.store.database import Connection
from syncline.store.models import announce_model, note_trouble, workspaces_to_embed
from syncline.store.reembedding import (
    collect_former,
    complete_model,
    former_models,
    missing_passages,
    store_embeddings,
)
from syncline.store.vector_index import drop_index

__all__ = ["Reembedding", "run_everywhere", "run_once"]

_AT_ONCE = 128
"""Passages: what a service takes in one request, and some milliseconds of a small local model."""
_COLLECTED = 2_000


class Reembedding(Struct, frozen=True):
    """What it is done with."""

    info: EmbedderInfo
    load: Callable[[], Embedder]
    connect_as_owner: Callable[[], Awaitable[Connection]]
    started: float = field(default_factory=time.monotonic)
    """When the process was set up that wants this model."""
    pause: float = 0.0
    """After each step, as a part of the time that it took: what is left to others."""
    on_progress: Callable[[int], None] = lambda done: None
    """Told how many passages have been embedded so far."""


async def run_once(
    db: Connection, workspace: WorkspaceId, tools: Reembedding, *, most: int | None = None
) -> int:
    """Embed what lacks the model's embedding, up to about `most` passages; answers how many.

    With the last one, the former models' embeddings go. May be killed at any time: the next call
    goes on from there. Does nothing where a process that started later wants another model.
    Raises `SourceError` or `ConfigurationError` where the model does not answer.
    """
    age = time.monotonic() - tools.started
    number = await announce_model(db, workspace, tools.info, age=age)
    if number is None:
        return 0
    try:
        done = await _embed(db, workspace, number, tools, most)
    except (SourceError, ConfigurationError) as error:
        await note_trouble(db, workspace, number, redact(str(error)))
        raise
    if most is None or done < most:
        await _collect(db, workspace, tools)
    return done


async def _embed(
    db: Connection, workspace: WorkspaceId, number: int, tools: Reembedding, most: int | None
) -> int:
    done = 0
    # What comes meanwhile, of a process with another model, is seen by another round.
    while not await complete_model(db, workspace, number):
        before, after = done, b""
        while missing := await missing_passages(db, workspace, number, after=after, most=_AT_ONCE):
            began = time.monotonic()
            after = missing[-1].hash
            embedder = await asyncio.to_thread(tools.load)
            vectors = await embedder.embed([each.text for each in missing])
            hashes = [each.hash for each in missing]
            done += await store_embeddings(db, workspace, number, hashes, vectors)
            if done > before:
                await note_trouble(db, workspace, number, None)
            tools.on_progress(done)
            if most is not None and done >= most:
                return done
            if tools.pause:
                await asyncio.sleep(tools.pause * (time.monotonic() - began))
        if done == before:
            break  # it is not wanted any more, or whatever was missing has gone
    return done


async def _collect(db: Connection, workspace: WorkspaceId, tools: Reembedding) -> None:
    for former in await former_models(db, workspace):
        while await collect_former(db, workspace, former, most=_COLLECTED):
            pass
        await drop_index(db, tools.connect_as_owner, workspace, former)


async def run_everywhere(db: Connection, tools: Reembedding) -> int:
    """The same for every workspace that has passages of another model; how many were embedded."""
    done = 0
    for workspace in await workspaces_to_embed(db, tools.info.name):
        done += await run_once(db, workspace, tools)
    return done
