"""Opening a connection's connector with what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from syncline.connectors.options import parse_options, with_defaults
from syncline.connectors.registry import Registry
from syncline.connectors.secrets import parse_secrets
from syncline.core.clock import SystemClock
from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.core.ports import (
    Authentication,
    Clock,
    Connector,
    ConnectorSpec,
    Context,
    Explain,
    HttpTransport,
    OAuthGrant,
)
from syncline.store.database import Connection

if TYPE_CHECKING:
    from syncline.transport.cache import MemoryCache
    from syncline.transport.hosts import Shared
    from syncline.transport.oauth import Renewal, TokenStore

__all__ = ["ConnectorOpener", "LazyTransport", "OpenTransport", "Scope"]


class Scope(Struct, frozen=True):
    """For whom a connector is opened, and how what is shared is reached."""

    workspace_id: WorkspaceId
    connection_id: ConnectionId
    session: Callable[[], AbstractAsyncContextManager[Connection]]
    """Lends a database connection."""
    count: Callable[[str, int], None] = lambda name, more: None
    """Counts what the run's report tells: `requests`, `received_bytes`, `cache_hits`."""
    warn: Callable[[str], None] = lambda message: None
    """Puts a line into the run's report."""
    credential: str | None = None
    """A digest that tells credentials apart; who uses the same one shares its quota."""


class OpenTransport(Protocol):
    """Makes the HTTP session for one connection, from its options and what it shares."""

    def __call__(
        self,
        options: Any,
        shared: Shared | None = None,
        authentication: Authentication | None = None,
        explain: Explain | None = None,
        renewal: Renewal | None = None,
    ) -> Any:
        """An asynchronous context manager of an `HttpTransport`."""
        ...


class ConnectorOpener:
    """Opens connectors: validates stored options, and hands out a context."""

    def __init__(
        self,
        registry: Registry,
        open_transport: OpenTransport,
        clock: Clock | None = None,
        *,
        redis_url: str | None = None,
        installation: str = "",
        defaults: Mapping[str, Json] | None = None,
    ) -> None:
        """`defaults`: settings that stand for options which were not given.

        With a `redis_url`, answers are kept there; `installation` keeps ours from others'.
        """
        self.registry = registry
        self._redis_url = redis_url
        self._installation = installation
        self._defaults = defaults or {}
        self._memory: MemoryCache | None = None
        self._open_transport = open_transport
        self._clock = clock or SystemClock()

    def spec(self, kind: str) -> ConnectorSpec:
        """The spec of a kind. Raises `ConfigurationError`."""
        return self.registry.get(kind)

    @asynccontextmanager
    async def open(
        self,
        kind: str,
        options: Mapping[str, Json],
        options_version: int,
        secrets: Mapping[str, str],
        *,
        scope: Scope | None = None,
        tokens: TokenStore | None = None,
        progress: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[Connector]:
        """A connector, open for as long as the context lasts.

        `since` is `Context.since`; `tokens` is where the OAuth tokens of a stored connection are
        renewed.
        Without a `scope`, its requests are not counted, and share nothing with others.
        Raises `ConfigurationError` for options and secrets that do not validate.
        """
        spec = self.registry.get(kind)
        stored = parse_options(spec, dict(options), options_version)
        parsed = with_defaults(spec, stored, self._defaults)
        proven = parse_secrets(spec, secrets)
        proof = spec.authenticate(parsed, proven) if spec.authenticate else None
        share = None if scope is None else partial(self._share, scope, spec, parsed)
        grant = spec.oauth(parsed, proven) if spec.oauth else None
        renewal = None if grant is None else partial(_renewal, grant, tokens, secrets)
        transport = LazyTransport(self._open_transport, parsed, share, proof, spec.explain, renewal)
        try:
            context = Context(
                http=transport,
                clock=self._clock,
                since=since,
                progress=progress or (lambda message: None),
                warn=warn or (lambda message: None),
            )
            async with spec.open(parsed, proven, context) as connector:
                yield connector
        finally:
            await transport.close()

    def _share(self, scope: Scope, spec: ConnectorSpec, options: Any) -> Shared:
        from syncline.sync.hosts import shared_by
        from syncline.transport.cache import MemoryCache

        if self._memory is None:
            self._memory = MemoryCache()
        return shared_by(
            scope,
            spec,
            options,
            memory=self._memory,
            clock=self._clock,
            redis_url=self._redis_url,
            installation=self._installation,
        )


def _renewal(grant: OAuthGrant, tokens: TokenStore | None, secrets: Mapping[str, str]) -> Renewal:
    """Of a connection that is not stored, nobody else knows the tokens."""
    from syncline.transport.oauth import MemoryTokens, Renewal

    return Renewal(grant, tokens or MemoryTokens(secrets))


class LazyTransport:
    """An HTTP session that is made at the first request: most files' runs never make one."""

    def __init__(
        self,
        open_transport: OpenTransport,
        options: Any,
        share: Callable[[], Shared] | None = None,
        proof: Authentication | None = None,
        explain: Explain | None = None,
        renewal: Callable[[], Renewal] | None = None,
    ) -> None:
        self._open = open_transport
        self._options = options
        self._share = share
        self._proof = proof
        self._explain = explain
        self._renewal = renewal
        self._manager: Any = None
        self._session: HttpTransport | None = None

    async def _ready(self) -> HttpTransport:
        if self._session is None:
            shared = None if self._share is None else self._share()
            renewal = None if self._renewal is None else self._renewal()
            self._manager = self._open(self._options, shared, self._proof, self._explain, renewal)
            self._session = await self._manager.__aenter__()
        return self._session

    async def get(self, url: str, **more: Any) -> Any:
        session = self._session or await self._ready()
        return await session.get(url, **more)

    async def post(self, url: str, body: bytes, **more: Any) -> Any:
        session = self._session or await self._ready()
        return await session.post(url, body, **more)

    @asynccontextmanager
    async def stream(self, url: str, **more: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        session = self._session or await self._ready()
        async with session.stream(url, **more) as chunks:
            yield chunks

    def pace(self, url: str, seconds: float) -> None:
        # Whoever learned the delay has made a request, so the session is there.
        if self._session is not None:
            self._session.pace(url, seconds)

    async def close(self) -> None:
        """Close the session, if one was made."""
        if self._manager is not None:
            await self._manager.__aexit__(None, None, None)
