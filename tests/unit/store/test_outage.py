"""What a service says while its database is away."""

from __future__ import annotations

import asyncio
from typing import cast

import psycopg
import pytest

from syncline.core.errors import DatabaseUnavailable
from syncline.store import outage
from syncline.store.database import Database
from syncline.store.outage import Outage


class _Away:
    async def revive(self) -> None:
        raise DatabaseUnavailable("It did not start: PANIC", hint="The disk is full.")


async def test_each_cause_is_told_once_a_minute_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What to do comes first, because a line may be cut; when it is over, that is told, and what
    comes then is news."""
    monkeypatch.setattr(outage, "_AGAIN_SECONDS", 0.0)
    said: list[str] = []
    now = [0.0]
    away = Outage(cast("Database", _Away()), "It was lost", said.append, clock=lambda: now[0])
    gone = psycopg.OperationalError("server closed the connection")
    lost = "It was lost; trying again. (The database went away: server closed the connection)"
    still = "The database is still away; trying again. The disk is full. (It did not start: PANIC)"
    for _ in range(3):
        await away.sit_out(gone, asyncio.Event())
    assert said == [lost, still]
    now[0] = 60.0
    await away.sit_out(gone, asyncio.Event())
    assert said == [lost, still] * 2
    away.over()
    away.over()
    await away.sit_out(gone, asyncio.Event())
    assert said == [*[lost, still] * 2, "The database is back.", lost, still]
