"""Database sessions that are used again: opening one costs more than most of what is done in it.

The server starts a process for each, which then has to learn every table it meets and to plan every
statement. So a session is lent, and lent again; what others know it by, its name, is its
borrower's only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import psycopg

__all__ = ["IDLE_NAME", "Connection", "Sessions"]

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

IDLE_NAME = "syncline"
"""The application name of a session that nobody has named."""
_IDLE_SECONDS = 60.0


class Sessions:
    """Lends sessions, which `connect` opens."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._spare: deque[tuple[Connection, float]] = deque()
        """The one that was used last is the last."""

    def give(self, connection: Connection) -> None:
        """Let others have a session, which must be as it was opened."""
        self._spare.append((connection, time.monotonic()))

    @asynccontextmanager
    async def lend(self, name: str = IDLE_NAME) -> AsyncIterator[Connection]:
        """A session for a while, under a name. Raises `DatabaseUnavailable`.

        Its borrower leaves nothing in it: no settings, locks or tables. One that has broken, or was
        closed, is not lent again.
        """
        connection = await self._named(name)
        try:
            yield connection
        finally:
            await self._take_back(connection)

    async def _named(self, name: str) -> Connection:
        while self._spare:
            connection, _ = self._spare.pop()
            try:
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
        await _rename(connection, name)
        return connection

    async def _take_back(self, connection: Connection) -> None:
        if not connection.closed and not connection.info.transaction_status:
            try:
                await _rename(connection, IDLE_NAME)
            except psycopg.OperationalError:
                pass
            except BaseException:
                await connection.close()
                raise
            else:
                self.give(connection)
                await self._close_idle()
                return
        await connection.close()

    async def _close_idle(self) -> None:
        """Of a burst of work, not all that it needed is kept."""
        while self._spare and time.monotonic() - self._spare[0][1] > _IDLE_SECONDS:
            await self._spare.popleft()[0].close()

    async def close(self) -> None:
        """Close those that nobody has at the moment."""
        while self._spare:
            with suppress(psycopg.Error):
                await self._spare.pop()[0].close()


async def _rename(connection: Connection, name: str) -> None:
    # The server tells each change, so the look costs nothing.
    if connection.info.parameter_status("application_name") != name:
        await connection.execute("SELECT set_config('application_name', %s, false)", (name,))
