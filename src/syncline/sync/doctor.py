"""Whether this installation can work: each thing looked at, with what to do if it is not well."""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Awaitable, Callable, Mapping

import psycopg

from syncline.connectors.registry import Registry
from syncline.core.errors import SynclineError
from syncline.embedders.catalogue import create
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.embedded.doctor import Check, check
from syncline.store.inspection import inspect_database

__all__ = ["Check", "examine"]

_PYTHON = (3, 11)
_PROBE = "How do I rotate an API key?"


async def examine(settings: Settings, environ: Mapping[str, str]) -> list[Check]:
    """Look at everything. Starts the bundled database if need be; raises nothing."""
    checks = [_python()]
    if settings.database_url is None:
        checks += await check(settings)
    looks: dict[str, Callable[[], Awaitable[list[Check]]]] = {
        "database": lambda: _database(settings),
        "embedder": lambda: _embedder(settings),
        "connectors": lambda: _connectors(environ),
    }
    for name, look in looks.items():
        try:
            checks += await look()
        except SynclineError as error:
            checks.append(Check(name, False, error.message, error.hint))
        except Exception as error:  # noqa: BLE001 - whatever is broken is what we look for
            first = (str(error).strip().splitlines() or [""])[0]
            hint = "Reinstall Syncline; if that does not help, report it."
            checks.append(Check(name, False, f"{type(error).__name__}: {first}", hint))
    return checks


def _python() -> Check:
    found = f"Python {platform.python_version()} in {sys.prefix}"
    enough = sys.version_info >= _PYTHON
    return Check(
        "python", enough, found, None if enough else "Syncline needs Python 3.11 or newer."
    )


async def _database(settings: Settings) -> list[Check]:
    """That it starts or answers, with the right schema, and that we are nobody special in it."""
    database = Database(settings)
    try:
        async with database, database.connection() as db:
            facts = await inspect_database(db)
    except psycopg.Error as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return [Check("database", False, first, "See the server's log.")]
    special = [
        name
        for name, is_so in (("a superuser", facts.superuser), ("the owner", facts.owner))
        if is_so
    ]
    return [
        Check("database", True, f"PostgreSQL {facts.server} answers"),
        Check("schema", True, f"revision {facts.revision}, which this version works with"),
        Check(
            "role",
            not special,
            f"{facts.role} is {' and '.join(special) or 'neither superuser nor owner'}",
            "Connect as a user who may SET ROLE to a plain role; see the docs on DATABASE_URL."
            if special
            else None,
        ),
        Check("pgvector", True, f"version {facts.pgvector}"),
    ]


async def _embedder(settings: Settings) -> list[Check]:
    """That the model loads, or its service answers, and gives what it says."""
    embedder = await asyncio.to_thread(create, settings)
    shape = tuple((await embedder.embed([_PROBE])).shape)
    ok = shape == (1, embedder.dimension)
    return [Check("embedder", ok, f"{embedder.name} gives {shape[1]} dimensions")]


async def _connectors(environ: Mapping[str, str]) -> list[Check]:
    registry = Registry.from_environment(environ)
    checks = []
    for kind in registry.kinds():
        try:
            spec = registry.get(kind)
        except SynclineError as error:
            checks.append(Check(f"connector {kind}", False, error.message, error.hint))
        else:
            checks.append(Check(f"connector {kind}", True, spec.title))
    return checks
