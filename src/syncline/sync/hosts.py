"""What a connection's sessions share about hosts, in the database: the transport's `Ledger`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import psycopg

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.core.ports import Clock, ConnectorSpec, MeteredOptions, Options
from syncline.core.quota import Quota
from syncline.store import breakers, quotas
from syncline.store.database import Connection
from syncline.store.explain import explain
from syncline.sync.answers import RedisAnswers, TableAnswers
from syncline.sync.opening import Scope
from syncline.transport.cache import Answers, AnswerStore, MemoryCache
from syncline.transport.hosts import Shared
from syncline.transport.ledger import Breaker, Order, Sold, Standing

__all__ = ["quota_of", "shared_by"]


def shared_by(
    scope: Scope,
    spec: ConnectorSpec,
    options: Options,
    *,
    memory: MemoryCache,
    clock: Clock,
    redis_url: str | None = None,
    installation: str = "",
) -> Shared:
    """What this connection's sessions share; answers are kept in `memory`, and Redis or a table."""
    store: AnswerStore = TableAnswers(scope)
    if redis_url is not None:
        store = RedisAnswers(redis_url, installation, scope)
    owner = (scope.workspace_id, scope.connection_id)
    return Shared(
        answers=Answers(owner, memory, store, clock, partial(scope.count, "cache_hits", 1)),
        ledger=_HostTables(scope, spec.kind),
        quota=quota_of(spec, options),
        routes=spec.routes,
        credentialed=scope.credential is not None,
        count=scope.count,
    )


def quota_of(spec: ConnectorSpec, options: Options) -> Quota:
    """A connection's quota: the connector's, or the connection's own."""
    if isinstance(options, MeteredOptions):
        return options.quota(spec.quota)
    return spec.quota


class _HostTables:
    """Implements `transport.ledger.Ledger`."""

    def __init__(self, scope: Scope, kind: str) -> None:
        self._scope = scope
        self._kind = kind

    async def look(self, host: str) -> Standing:
        async with self._session() as db:
            return await breakers.read_standing(db, *self._owner, host, self._key(host))

    async def buy(self, host: str, order: Order) -> Sold:
        async with self._session() as db:
            return await quotas.buy(db, self._key(host), order)

    async def close_until(self, host: str, seconds: float, reason: str) -> None:
        async with self._session() as db:
            await quotas.close_until(db, self._key(host), seconds, reason)

    async def note_failures(self, host: str, failures: int, reason: str) -> Breaker:
        async with self._session() as db:
            return await breakers.note_failures(db, *self._owner, host, failures, reason)

    async def claim_probe(self, host: str) -> Breaker | None:
        async with self._session() as db:
            return await breakers.claim_probe(db, *self._owner, host)

    async def note_success(self, host: str) -> None:
        async with self._session() as db:
            await breakers.close_breaker(db, *self._owner, host)

    @property
    def _owner(self) -> tuple[WorkspaceId, ConnectionId]:
        return self._scope.workspace_id, self._scope.connection_id

    def _key(self, host: str) -> str:
        credential = self._scope.credential
        if credential is not None:
            return f"{self._kind} {host} {credential}"
        return f"{self._kind} {host} of {self._scope.workspace_id}/{self._scope.connection_id}"

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Connection]:
        # The database's errors must not be taken for the source's.
        try:
            async with self._scope.session() as db:
                yield db
        except psycopg.Error as error:
            raise explain(error) from error
