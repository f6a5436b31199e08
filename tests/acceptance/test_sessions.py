"""Sessions that are lent again: what one borrower leaves, the next one does not find."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from syncline.core.errors import DatabaseUnavailable
from syncline.store import sessions
from syncline.store.database import Connection, Database
from syncline.store.sessions import Sessions


@pytest.fixture
async def lender(database: Database) -> AsyncIterator[Sessions]:
    lender = Sessions(database.connect)
    yield lender
    await lender.close()


def _pid(db: Connection) -> int:
    return db.info.backend_pid


async def _name(asking: Connection, pid: int) -> str | None:
    found = await asking.execute(
        "SELECT application_name FROM pg_stat_activity WHERE pid = %s", (pid,)
    )
    row = await found.fetchone()
    return None if row is None else row[0]


async def test_a_session_is_lent_again_for_the_same_kind_of_work(
    lender: Sessions, db: Connection
) -> None:
    """Others know it by its borrower's name as long as that has it."""
    async with lender.lend("syncline run 1/2") as first:
        pid = _pid(first)
        assert await _name(db, pid) == "syncline run 1/2"
        async with lender.lend("syncline run 3/4") as second:
            assert _pid(second) != pid
    assert await _name(db, pid) == "syncline"
    async with lender.lend() as other:
        assert _pid(other) != pid
    async with lender.lend("syncline run 5/6") as again:
        assert _pid(again) == pid


async def test_what_a_borrower_cannot_use_any_more_nobody_gets(
    lender: Sessions, db: Connection
) -> None:
    """One that is within a transaction, one that was closed, and one that was cut meanwhile."""
    used = []
    async with lender.lend() as open_:
        used.append(_pid(open_))
        await open_.execute("BEGIN")
    async with lender.lend() as closed:
        used.append(_pid(closed))
        await closed.close()
    async with lender.lend() as cut:
        used.append(_pid(cut))
    await _end(db, used[-1])
    async with lender.lend() as lost:
        assert await _name(lost, _pid(lost)) == "syncline"
        used.append(_pid(lost))
        await _end(db, used[-1])
        with pytest.raises(psycopg.OperationalError):
            await lost.execute("SELECT 1")
    async with lender.lend() as last:
        assert _pid(last) not in used


async def _end(db: Connection, pid: int) -> None:
    await db.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))


async def test_of_a_burst_not_all_is_kept(
    lender: Sessions, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that nobody has used for a while are closed when another comes back."""
    async with lender.lend() as first:
        pid = _pid(first)
    monkeypatch.setattr(sessions, "_IDLE_SECONDS", -1.0)
    async with lender.lend("syncline run 1/2"):
        pass
    async with lender.lend() as other:
        assert _pid(other) != pid


async def test_short_work_takes_turns(database: Database) -> None:
    """However many want a session for a moment, a few are enough."""

    async def ask() -> int:
        async with database.brief_connection() as db:
            await db.execute("SELECT pg_sleep(0.005)")
            return _pid(db)

    pids = await asyncio.gather(*(ask() for _ in range(12)))
    assert len(pids) == 12
    assert 1 < len(set(pids)) <= 3


async def test_a_session_that_cannot_be_had_is_told(server_settings: object) -> None:
    """As any other that cannot be opened."""

    async def refuse() -> Connection:
        raise DatabaseUnavailable("no")

    with pytest.raises(DatabaseUnavailable):
        async with Sessions(refuse).lend():
            pass
