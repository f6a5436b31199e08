"""Database sessions that are used again: opening one costs more than most of what is done in it.

The server starts a process for each, which then has to learn every table it meets and to plan every
statement. So a session is lent, and lent again, for work of the same kind: a kind's tables and
plans are some megabytes. What others know it by, its name, is its borrower's only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import psycopg

from syncline.core.errors import SynclineError

__all__ = ["IDLE_NAME", "Connection", "Sessions"]

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

IDLE_NAME = "syncline"
"""The application name of a session that nobody has named."""
_IDLE_SECONDS = 10.0


class Sessions:
    """Lends sessions, which `connect` opens."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._spare: dict[str, deque[tuple[Connection, float]]] = {}
        """By kind. The one that was used last is the last."""

    def give(self, connection: Connection, kind: str = IDLE_NAME) -> None:
        """Let others have a session, which must be as it was opened."""
        self._spare.setdefault(kind, deque()).append((connection, time.monotonic()))

    @asynccontextmanager
    async def lend(self, name: str = IDLE_NAME) -> AsyncIterator[Connection]:
        """A session for a while, under a name, whose first two words are the kind of work.

        Raises `DatabaseUnavailable`. Its borrower leaves nothing in it: no settings, locks or
        tables. One that has broken, or was closed, is not lent again, nor is one whose borrower was
        cancelled or had an error of the database's.
        """
        kind = " ".join(name.split()[:2])
        connection = await self._named(name, kind)
        try:
            yield connection
        except SynclineError:
            await self._take_back(connection, kind)
            raise
        except BaseException:
            # Interrupted, or refused by the database, anywhere: nobody knows what is left in it.
            await connection.close()
            raise
        await self._take_back(connection, kind)

    async def _named(self, name: str, kind: str) -> Connection:
        while spare := self._spare.get(kind):
            connection, _ = spare.pop()
            try:
                _look(connection)
                await _rename(connection, name)
            except psycopg.OperationalError:
                # The server has gone since, and the others with it, or it was cut alone.
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        connection = await self._connect()
        try:
            await _rename(connection, name)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _take_back(self, connection: Connection, kind: str) -> None:
        if not connection.closed and not connection.info.transaction_status:
            try:
                await _rename(connection, IDLE_NAME)
            except psycopg.OperationalError:
                pass
            except BaseException:
                await connection.close()
                raise
            else:
                self.give(connection, kind)
                await self._close_idle()
                return
        await connection.close()

    async def _close_idle(self) -> None:
        """Of a burst of work, not all that it needed is kept."""
        for spare in list(self._spare.values()):
            while spare and time.monotonic() - spare[0][1] > _IDLE_SECONDS:
                await spare.popleft()[0].close()

    async def close(self) -> None:
        """Close those that nobody has at the moment."""
        for spare in list(self._spare.values()):
            while spare:
                with suppress(psycopg.Error):
                    await spare.pop()[0].close()


def _look(connection: Connection) -> None:
    """See what the server has sent meanwhile, without asking it anything. Raises where it ended."""
    for _ in range(2):  # its last words, and the end after them
        connection.pgconn.consume_input()


async def _rename(connection: Connection, name: str) -> None:
    # The server tells each change, so the look costs nothing.
    if connection.info.parameter_status("application_name") != name:
        await connection.execute("SELECT set_config('application_name', %s, false)", (name,))
