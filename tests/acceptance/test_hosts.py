"""Sessions that share a host's quota and breaker in the database, side by side, in real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from msgspec.structs import replace

from syncline.core.clock import SystemClock
from syncline.core.errors import SourceError
from syncline.core.quota import Bucket, Quota
from syncline.store import breakers, quotas
from syncline.store.connections import ConnectionRow, add_connection
from syncline.store.database import Connection, Database
from syncline.store.workspaces import make_workspace
from syncline.sync.hosts import shared_by
from syncline.sync.opening import Scope
from syncline.testing.fake_site import FakeSite
from syncline.transport.cache import MemoryCache
from syncline.transport.http import HttpSession
from tests.support.queue import shift_clock
from tests.support.scripted import SPEC, ScriptedOptions


@pytest.fixture
async def row(db: Connection, workspace_name: str) -> ConnectionRow:
    workspace = await make_workspace(db, workspace_name)
    return await add_connection(
        db, workspace, kind="scripted", name="x", source="x", options={}, options_version=1
    )


@pytest.fixture
async def site() -> AsyncIterator[FakeSite]:
    async with FakeSite() as site:
        site.put("/a", "The text.")
        yield site


@asynccontextmanager
async def _session(
    database: Database, row: ConnectionRow, quota: Quota = (), credential: str | None = None
) -> AsyncIterator[HttpSession]:
    scope = Scope(row.workspace_id, row.id, database.connection, credential=credential)
    spec = replace(SPEC, quota=quota)
    options = ScriptedOptions.model_validate({"path": "x"})
    async with HttpSession(
        allow_private_hosts=["127.0.0.1"],
        shared=shared_by(scope, spec, options, memory=MemoryCache(), clock=SystemClock()),
    ) as http:
        yield http


async def test_sessions_share_a_bucket(
    database: Database, row: ConnectionRow, site: FakeSite
) -> None:
    """Together they ask no more often than it allows one of them."""
    times: list[float] = []
    site.before = lambda seen: times.append(time.monotonic())
    quota = (Bucket(10, 1),)

    async def ask() -> None:
        async with _session(database, row, quota) as http:
            await asyncio.gather(*(http.get(f"{site.url}/a") for _ in range(15)))

    await asyncio.gather(ask(), ask())
    assert len(times) == 30
    # Three times ten: the third ten two seconds after the first. Each stretch of time by itself is
    # looked at in `test_quotas_model.py`, where no busy machine delays what is sent.
    assert times[-1] - times[0] > 1.5


async def test_those_with_one_credential_share_whatever_their_workspace(
    database: Database, db: Connection, row: ConnectionRow, site: FakeSite, workspace_name: str
) -> None:
    """The limit is the source's; without a credential each connection has its own."""
    other = await make_workspace(db, f"{workspace_name}-other")
    second = await add_connection(
        db, other, kind="scripted", name="x", source="x", options={}, options_version=1
    )
    quota = (Bucket(2, 3600),)
    async with _session(database, row, quota, "digest") as http:
        await http.get(f"{site.url}/a")
        await http.get(f"{site.url}/a")
    async with _session(database, second, quota, "digest") as http:
        with pytest.raises(SourceError, match="quota is used up"):
            await http.get(f"{site.url}/a")
    async with _session(database, second, quota) as http:
        await http.get(f"{site.url}/a")


async def test_what_a_source_tells_of_its_quota_is_kept_to(
    database: Database, row: ConnectionRow, site: FakeSite
) -> None:
    """Nobody has configured anything, and 429 is rare: what was under way at first, perhaps."""
    limit, window = 20, 1.0
    begun, used, refused = 0.0, 0, 0

    async def strict(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal begun, used, refused
        now = time.monotonic()
        if now - begun >= window:
            begun, used = now, 0
        used += 1
        reset = begun + window - now
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - used)),
            "X-RateLimit-Reset": f"{reset:.3f}",
        }
        if used > limit:
            refused += 1
            return web.Response(status=429, headers={**headers, "Retry-After": f"{reset:.3f}"})
        return web.Response(text="ok", headers=headers)

    site.misbehave(strict)

    async def ask() -> None:
        async with _session(database, row) as http:
            await asyncio.gather(*(http.get(f"{site.url}/a") for _ in range(40)))

    await asyncio.gather(ask(), ask())
    assert site.count() >= 80
    assert refused < 2 * limit  # who does not keep to it is refused sixty times at once


async def test_of_all_who_ask_one_tries_a_host_again(
    database: Database, row: ConnectionRow
) -> None:
    """Ten at once, in sessions of their own; and once more when that one is not heard of."""
    key = (row.workspace_id, row.id, "host")
    async with database.connection() as db:
        opened = await breakers.note_failures(db, *key, 5, "502")
        assert opened.seconds == pytest.approx(300, abs=1)
        assert await breakers.claim_probe(db, *key) is not None
    for seconds in (301, 362):
        claims = []
        for _ in range(10):
            session = await database.connect()
            await shift_clock(session, seconds)
            claims.append(session)
        granted = await asyncio.gather(*(breakers.claim_probe(db, *key) for db in claims))
        assert sum(claim is None for claim in granted) == 1
        assert all(claim.seconds > 50 for claim in granted if claim is not None)
        for session in claims:
            await session.close()


async def test_a_host_without_limits_costs_two_round_trips_at_most(
    database: Database, row: ConnectionRow, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at the start, whatever the number of requests."""
    trips = 0
    connection = database.connection

    def counted() -> object:
        nonlocal trips
        trips += 1
        return connection()

    monkeypatch.setattr(database, "connection", counted)
    async with _session(database, row) as http:
        for _ in range(50):
            await http.get(f"{site.url}/a")
    assert trips == 1


async def test_keys_that_nobody_uses_are_forgotten(db: Connection) -> None:
    """Not before their longest bucket is over, though."""
    from syncline.transport.ledger import Order

    order = Order((Bucket(5, 86_400),), 1, 1, 2, 60)
    await quotas.buy(db, "forgotten", order)
    await shift_clock(db, 100_000)
    await quotas.forget_quotas(db, older_than=50_000, most=1000)
    found = await db.execute("SELECT key FROM quotas WHERE key = 'forgotten'")
    assert await found.fetchone() is not None
    await shift_clock(db, 200_000)
    assert await quotas.forget_quotas(db, older_than=50_000, most=1000) >= 1
    await shift_clock(db, 0)
