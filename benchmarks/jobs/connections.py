"""A thousand connections to one source that takes so many requests a second, by two workers.

What part of what the source allows is used, and how much memory that takes. First syncs: a list of
pages, and the pages.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.jobs.scripts.metered_source import PAGES
from benchmarks.jobs.servers import postgres
from benchmarks.watching import Watcher
from syncline.core.jobs import NewJob
from syncline.security.keys import KeyRing
from syncline.security.vault import Vault
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.connections import add_connection
from syncline.store.database import Database
from syncline.store.workspaces import make_workspace
from syncline.sync.secrets import keep_secrets
from syncline.sync.sync_job import SYNC

__all__ = ["measure_connections"]

_CONNECTIONS = 1_000
_WORKSPACES = 10
_LIMIT = 60
"""Requests a second, of all workers."""
_WORKERS = 2
_RUNS = 8
"""At once, of each worker."""
_SOURCE = "benchmarks.jobs.scripts.metered_source"
_LONGEST = 900.0


def measure_connections(connections: int = _CONNECTIONS) -> None:
    """Measure once, and print."""
    kinds = f"metered={_SOURCE}:SPEC"
    settings = {
        "SYNCLINE_CONNECTORS": kinds,
        "SYNCLINE_RUNS_PER_HOST": str(_RUNS * _WORKERS),
        "SYNCLINE_WORKERS": "1",
        "SYNCLINE_LOG_LEVEL": "warning",
        "SYNCLINE_CPU_PERCENT": "100",
    }
    with postgres(**settings) as environment, _source() as (port, source):
        asyncio.run(_make(Settings.from_environment(environment), connections, port))
        with _workers({**os.environ, **environment}) as watchers:
            asyncio.run(_until_done(Settings.from_environment(environment)))
            parts = {kind: sum(each.parts.get(kind, 0) for each in watchers) for kind in _OURS}
        told = json.loads(_ended(source))
    used = told["answered"] + told["failed"]
    reached = used / (_LIMIT * told["seconds"])
    print(
        f"{connections:,} connections of one account, {_LIMIT} requests a second,"
        f" {_WORKERS} workers"
    )
    print(f"  requests that the source took       {used:10,}")
    print(f"  of these, failed by it              {told['failed']:10,}")
    print(f"  refused, for coming too soon        {told['refused']:10,}")
    print(f"  seconds                             {told['seconds']:10,.1f}")
    print(f"  of what the limit allows            {reached:10.1%}")
    print(f"  peak memory, MB                     {sum(parts.values()) / 1e6:10,.0f}")
    for kind, what in _OURS.items():
        print(f"    of {what:33}{parts[kind] / 1e6:10,.0f}")
    print(flush=True)


_OURS = {"command": "those that read the source", "workers": "those that prepare and store"}


@contextmanager
def _source() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", _SOURCE, str(_LIMIT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.terminate()


def _ended(source: subprocess.Popen[str]) -> str:
    assert source.stdin is not None
    assert source.stdout is not None
    source.stdin.close()
    return source.stdout.readline()


@contextmanager
def _workers(environment: dict[str, str]) -> Iterator[list[Watcher]]:
    command = [sys.executable, "-m", "syncline", "worker", "--concurrency", str(_RUNS)]
    processes = [subprocess.Popen(command, env=environment) for _ in range(_WORKERS)]
    watchers = [Watcher(process.pid) for process in processes]
    try:
        yield watchers
    finally:
        for watcher in watchers:
            watcher.end()
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


async def _make(settings: Settings, connections: int, port: int) -> None:
    vault = Vault(KeyRing(settings))
    async with Database(settings) as database, database.connection() as db:
        workspaces = [await make_workspace(db, f"tenant {n}") for n in range(_WORKSPACES)]
        wanted = []
        for n in range(connections):
            url = f"http://127.0.0.1:{port}"
            row = await add_connection(
                db,
                workspaces[n % _WORKSPACES],
                kind="metered",
                name=f"source {n}",
                source=url,
                options={
                    "url": url,
                    "number": n,
                    "requests_per_second": _LIMIT,
                    "allow_private_hosts": ["127.0.0.1"],
                },
                options_version=1,
            )
            async with db.transaction():
                await keep_secrets(db, vault, row.workspace_id, row.id, {"token": "one account"})
            wanted.append(
                NewJob(row.workspace_id, SYNC, connection_id=row.id, limit_keys=["host one"])
            )
        await jobs.enqueue(db, wanted)


async def _until_done(settings: Settings) -> None:
    deadline = time.monotonic() + _LONGEST
    async with Database(settings) as database, database.connection() as db:
        while True:
            await jobs.rescue(db)
            await jobs.promote(db)
            left = await (await db.execute("SELECT count(*) FROM jobs")).fetchone()
            if left == (0,):
                break
            if time.monotonic() > deadline:
                sys.exit(f"{left} jobs are left after {_LONGEST:.0f} s.")
            await asyncio.sleep(0.5)
        found = await db.execute(
            "SELECT count(*), (SELECT count(*) FROM connections) FROM documents"
        )
        documents, connections = await found.fetchone() or (0, 0)
        if documents != connections * PAGES:
            sys.exit(f"There are {documents} documents, not {connections * PAGES}.")
