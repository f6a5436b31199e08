"""A borrower of a session is cancelled, wherever it waits: the next one finds nothing of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import count

import pytest

from syncline.store.binary import copy_in
from syncline.store.database import Connection, Database, at_once
from syncline.store.sessions import Sessions
from tests.support.cancelled import Cancelled

_NAME = "syncline run 1/2"
_LARGE = "x" * 300_000
"""More than is sent without waiting."""
_COPY = "COPY marks FROM STDIN"

Work = Callable[[Connection, int], Awaitable[None]]


async def _alone(db: Connection, mark: int) -> None:
    await db.execute("SELECT pg_sleep(0.001)")
    await db.execute("INSERT INTO marks VALUES (%s, '')", (mark,))


async def _together(db: Connection, mark: int) -> None:
    async with db.transaction():
        await db.execute("INSERT INTO marks VALUES (%s, '')", (mark,))
        async with db.transaction():
            await db.execute("INSERT INTO marks VALUES (%s, 'within')", (mark,))
        await db.execute("SELECT set_config('lock_timeout', '7s', true), pg_sleep(0.001)")


async def _copied(db: Connection, mark: int) -> None:
    async with db.transaction():
        await db.execute("INSERT INTO marks VALUES (%s, '')", (mark,))
        await copy_in(db, _COPY, f"{mark}\t{_LARGE}\n".encode() * 3)


async def _prepared(db: Connection, mark: int) -> None:
    for _ in range(3):
        await db.execute("SELECT count(*) FROM marks WHERE mark = %s AND text = ''", (mark,))
    async with db.transaction():
        await db.cursor().executemany("INSERT INTO marks VALUES (%s, '')", [(mark,)] * 3)


async def _at_once(db: Connection, mark: int) -> None:
    async with at_once(db) as tasks:
        for _ in range(3):
            tasks.create_task(db.execute("INSERT INTO marks VALUES (%s, '')", (mark,)))
        for _ in range(6):
            await asyncio.sleep(0)  # they come further each time


_WORKS: dict[Work, set[int]] = {
    _alone: {0, 1},
    _together: {0, 2},
    _copied: {0, 4},
    _prepared: {0, 3},
    _at_once: {0, 1, 2, 3},
}
"""What each does, and how many rows may be there of it afterwards."""


@pytest.fixture
async def table(database: Database) -> AsyncIterator[None]:
    async with await database.connect_as_owner() as owner:
        await owner.execute("CREATE TABLE marks (mark bigint, text text)")
        await owner.execute("GRANT SELECT, INSERT ON marks TO PUBLIC")
        yield
        await owner.execute("DROP TABLE marks")


@asynccontextmanager
async def _lender(database: Database) -> AsyncIterator[Sessions]:
    """Lends, and has closed all of its sessions at the end."""
    opened: list[Connection] = []

    async def connect() -> Connection:
        opened.append(await database.connect())
        return opened[-1]

    lender = Sessions(connect)
    yield lender
    await lender.close()
    assert [each for each in opened if not each.closed] == []


@dataclass(frozen=True, slots=True)
class _Way:
    """How it is cancelled."""

    more: tuple[int, ...] = ()
    """So many waits later once more."""
    late: bool = False
    silent: bool = False
    """The borrower does not tell."""


_WAYS = {
    "once": _Way(),
    "silent": _Way(silent=True),
    "late": _Way(late=True),
    "late and silent": _Way(late=True, silent=True),
    "twice": _Way(more=(1,)),
    "later again": _Way(more=(2,)),
}


@pytest.mark.parametrize(
    ("work", "way"),
    [
        pytest.param(work, way, id=f"{work.__name__.strip('_')} {name}")
        for work in _WORKS
        for name, way in _WAYS.items()
        # psycopg is loud about a pipeline that is cancelled while it is being cancelled.
        if not (work is _at_once and way.more)
    ],
)
async def test_whoever_borrows_next_finds_a_session_as_it_was_opened(
    database: Database,
    table: None,
    caplog: pytest.LogCaptureFixture,
    work: Work,
    way: _Way,
) -> None:
    """No transaction, setting or lock; a transaction was done or not. psycopg has no complaints."""
    async with _lender(database) as lender:

        async def borrow(mark: int) -> None:
            async with lender.lend(_NAME) as db:
                with suppress(asyncio.CancelledError) if way.silent else nullcontext():
                    await work(db, mark)

        await borrow(0)
        caplog.set_level(logging.WARNING)
        for n in count(1):
            walked = Cancelled(borrow(n), {n, *(n + each for each in way.more)}, late=way.late)
            task = asyncio.ensure_future(_awaited(walked))
            cancelled = (await asyncio.wait({task})) and task.cancelled()
            assert cancelled or task.exception() is None
            await _clean(lender, n, _WORKS[work])
            if walked.waits < n:
                assert n > 2
                break
    if not way.more:  # it tells what it makes of the second one
        assert [each.getMessage() for each in caplog.records if _is_news(each)] == []


async def _awaited(walked: Cancelled) -> None:
    await walked


def _is_news(record: logging.LogRecord) -> bool:
    """Of what psycopg warns of: that it closed a session is what is wanted."""
    return record.name.startswith("psycopg") and "closing connection" not in record.getMessage()


async def _clean(lender: Sessions, mark: int, rows: set[int]) -> None:
    async with lender.lend(_NAME) as db:
        found = await db.execute(
            "SELECT (SELECT count(*) FROM marks WHERE mark = %s),"
            " pg_current_xact_id_if_assigned() IS NULL, current_setting('lock_timeout'),"
            " (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype"
            " IN ('advisory', 'transactionid')), current_setting('application_name')",
            (mark,),
        )
        row = await found.fetchone()
        assert row is not None
        assert row[0] in rows
        assert row[1:] == (True, "10s", 0, _NAME)
        async with db.transaction():
            await copy_in(db, _COPY, b"-1\t\n")
