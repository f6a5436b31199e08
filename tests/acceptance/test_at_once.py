"""Statements that go to the database together."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from syncline.store.database import Connection, at_once


async def _ask(db: Connection, what: str) -> object:
    found = await db.execute(f"SELECT {what}".encode())
    row = await found.fetchone()
    assert row is not None
    return row[0]


async def test_each_gets_its_own_answer(db: Connection) -> None:
    """Also where one of them asks a second time, after its first answer."""

    async def twice() -> object:
        return await _ask(db, f"{await _ask(db, '20')} + 1")

    async with at_once(db) as tasks:
        asked = [tasks.create_task(_ask(db, str(n))) for n in range(5)]
        late = tasks.create_task(twice())
    assert [each.result() for each in asked] == [0, 1, 2, 3, 4]
    assert late.result() == 21


async def test_they_go_together(db: Connection) -> None:
    """What is sent before the first answer has come is one transaction, with one time."""
    async with at_once(db) as tasks:
        asked = [tasks.create_task(_ask(db, "now()")) for _ in range(3)]
    assert len({each.result() for each in asked}) == 1


@pytest.mark.parametrize("bad", [0, 1, 2])
async def test_the_error_of_the_one_that_fails_is_raised(db: Connection, bad: int) -> None:
    """And not what it means for the others; the session is as before."""

    async def ask() -> None:
        async with at_once(db) as tasks:
            for n in range(3):
                tasks.create_task(_ask(db, "1/0" if n == bad else str(n)))

    with pytest.raises(psycopg.errors.DivisionByZero):
        await ask()
    assert db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert await _ask(db, "7") == 7


async def test_who_is_cancelled_leaves_a_session_that_can_be_used(db: Connection) -> None:
    begun = asyncio.Event()

    async def ask() -> None:
        async with at_once(db) as tasks:
            tasks.create_task(_ask(db, "pg_sleep(60)"))
            tasks.create_task(_ask(db, "1"))
            begun.set()

    asking = asyncio.create_task(ask())
    await begun.wait()
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert db.closed or await _ask(db, "7") == 7
