"""The one file that knows every adapter: it builds them from the settings and wires them up."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from syncline.connectors.registry import Registry
from syncline.core.clock import SystemClock
from syncline.core.ports import Authentication, Clock, Embedder, Explain
from syncline.embedders.catalogue import create, describe
from syncline.security.keys import KeyRing
from syncline.security.vault import Vault
from syncline.settings import Settings
from syncline.store.database import Connection, Database, connect
from syncline.store.runs import session_name
from syncline.store.sessions import Sessions
from syncline.sync.opening import ConnectorOpener, OpenTransport, Scope
from syncline.sync.pool import WorkerPool
from syncline.sync.run import Tools
from syncline.sync.secrets import secrets_for
from syncline.sync.tokens import StoredTokens
from syncline.sync.work import RunContext

if TYPE_CHECKING:
    from syncline.sync.preparer import Preparer
    from syncline.transport.hosts import Shared
    from syncline.transport.oauth import Renewal

__all__ = ["build_tools", "embedder_loader", "open_preparer", "open_transport"]


def open_transport(
    options: Any,
    shared: Shared | None = None,
    authentication: Authentication | None = None,
    explain: Explain | None = None,
    renewal: Renewal | None = None,
) -> Any:
    """The HTTP session for a connection, as an asynchronous context manager."""
    from syncline.transport.http import HttpSession

    return HttpSession(
        allow_private_hosts=getattr(options, "allow_private_hosts", ()),
        user_agent=getattr(options, "user_agent", None),
        authentication=authentication,
        explain=explain,
        renewal=renewal,
        concurrency=getattr(options, "concurrency", 8),
        delay=getattr(options, "delay", 0.0),
        shared=shared,
    )


def build_tools(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    clock: Clock | None = None,
    open_transport: OpenTransport = open_transport,
) -> Tools:
    """Everything a run works with; the database is not open yet.

    `open_transport` makes the HTTP session that connectors read through.
    """
    embedder = describe(settings)
    return Tools(
        database=Database(settings),
        opener=ConnectorOpener(
            Registry.from_environment(environ),
            open_transport,
            clock or SystemClock(),
            redis_url=None if settings.redis_url is None else settings.redis_url.get_secret_value(),
            defaults=settings.option_defaults,
            installation=settings.database_url or f"{socket.gethostname()}:{settings.data_dir}",
        ),
        pool=WorkerPool(
            {**environ, **settings.to_environment()},
            size=settings.workers,
            batch_seconds=settings.batch_seconds,
        ),
        embedder=embedder,
        vault=Vault(KeyRing(settings)),
    )


async def open_preparer(
    context: RunContext,
    settings: Settings,
    environ: Mapping[str, str],
    load_embedder: Callable[[], Embedder],
    sessions: Sessions,
) -> Preparer:
    """In a worker process: what prepares one run's batches, in sessions that all of them share."""
    from syncline.sync.preparer import Preparer  # commands have no use for it

    spec = Registry.from_environment(environ).get(context.kind)
    embedder = describe(settings)
    resources = AsyncExitStack()
    try:
        connector = None
        if spec.capabilities.local:
            vault, run = Vault(KeyRing(settings)), context.run
            async with sessions.lend() as db:
                secrets = await secrets_for(db, vault, spec, run.workspace_id, run.connection_id)
            opener = ConnectorOpener(
                Registry.from_environment(environ),
                open_transport,
                defaults=settings.option_defaults,
            )
            connector = await resources.enter_async_context(
                opener.open(
                    context.kind,
                    context.options,
                    context.options_version,
                    secrets.values,
                    scope=_scope(context, secrets.credential),
                    tokens=_tokens(context, settings),
                )
            )
        return Preparer(
            context,
            connector=connector,
            capabilities=spec.capabilities,
            embedder=embedder,
            load_embedder=load_embedder,
            session=partial(sessions.lend, session_name(context.run)),
            resources=resources,
        )
    except BaseException:
        await resources.aclose()
        raise


def _scope(context: RunContext, credential: str | None) -> Scope | None:
    """For whom a worker reads; its own session is in use, so what is shared has one of its own."""
    run = context.run
    if not run.connection_id:
        return None
    return Scope(run.workspace_id, run.connection_id, _session(context), credential=credential)


def _tokens(context: RunContext, settings: Settings) -> StoredTokens | None:
    run = context.run
    if not run.connection_id:
        return None
    vault = Vault(KeyRing(settings))
    return StoredTokens(_session(context), vault, run.workspace_id, run.connection_id)


def _session(context: RunContext) -> Callable[[], AbstractAsyncContextManager[Connection]]:
    @asynccontextmanager
    async def session() -> AsyncIterator[Connection]:
        async with await connect(
            dict(context.database), application=session_name(context.run)
        ) as db:
            yield db

    return session


def embedder_loader(settings: Settings) -> Callable[[], Embedder]:
    """Loads the model at the first call, and keeps it."""
    loaded: list[Embedder] = []

    def load() -> Embedder:
        if not loaded:
            loaded.append(create(settings))
        return loaded[0]

    return load
