"""A thousand connections to one source that takes so many requests a second, kept by `syncline up`.

What part of what the source allows is used, and what that takes: memory, processor time. First
syncs, of connections that have just become due: a list of pages, and the pages.
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
from pathlib import Path

from benchmarks.jobs.scripts.metered_source import PAGES
from benchmarks.jobs.servers import postgres
from benchmarks.watching import Watcher
from syncline.security.keys import KeyRing
from syncline.security.vault import Vault
from syncline.settings import Settings
from syncline.store.connections import add_connection
from syncline.store.database import Database
from syncline.store.workspaces import make_workspace
from syncline.sync.secrets import keep_secrets

__all__ = ["measure_connections"]

_CONNECTIONS = 1_000
_WORKSPACES = 10
_LIMIT = 60
"""Requests a second, of all workers."""
_RUNS = 10
"""At once."""
_SOURCE = "benchmarks.jobs.scripts.metered_source"
_LONGEST = 900.0


def measure_connections(connections: int = _CONNECTIONS) -> None:
    """Measure once, and print."""
    settings = {
        "SYNCLINE_CONNECTORS": f"metered={_SOURCE}:SPEC",
        "SYNCLINE_RUNS_PER_HOST": str(_RUNS),
        "SYNCLINE_WORKERS": "1",
        "SYNCLINE_LOG_LEVEL": "warning",
        "SYNCLINE_CPU_PERCENT": "100",
    }
    with postgres(**settings) as environment, _source() as (port, source):
        asyncio.run(_make(Settings.from_environment(environment), connections, port))
        with _service({**os.environ, **environment}) as watcher:
            asyncio.run(_until_done(Settings.from_environment(environment), connections))
        told = json.loads(_ended(source))
    used = told["answered"] + told["failed"]
    reached = used / (_LIMIT * told["seconds"])
    print(f"{connections:,} connections of one account, {_LIMIT} requests a second")
    print(f"  requests that the source took       {used:10,}")
    print(f"  of these, failed by it              {told['failed']:10,}")
    print(f"  refused, for coming too soon        {told['refused']:10,}")
    print(f"  seconds                             {told['seconds']:10,.1f}")
    print(f"  of what the limit allows            {reached:10.1%}")
    print(f"  peak memory, MB                     {watcher.peak / 1e6:10,.0f}")
    for kind, what in _OURS.items():
        print(f"    of {what:33}{watcher.parts[kind] / 1e6:10,.0f}")
    print(f"  processors, ms a sync               {_a_sync(watcher, connections, *_OURS):10,.0f}")
    for kind, what in _OURS.items():
        print(f"    of {what:33}{_a_sync(watcher, connections, kind):10,.0f}")
    print(flush=True)


_OURS = {
    "command": "what reads the source",
    "workers": "what prepares and stores",
    "database": "the database",
}


def _a_sync(watcher: Watcher, connections: int, *kinds: str) -> float:
    return sum(watcher.seconds[kind] for kind in kinds) * 1000 / connections


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
def _service(environment: dict[str, str]) -> Iterator[Watcher]:
    command = [sys.executable, "-m", "syncline", "up", "--concurrency", str(_RUNS)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    watcher = Watcher(process.pid, Path(environment["SYNCLINE_DATA_DIR"]))
    try:
        yield watcher
    finally:
        watcher.end()
        process.terminate()
        process.wait()


async def _make(settings: Settings, connections: int, port: int) -> None:
    vault = Vault(KeyRing(settings))
    url = f"http://127.0.0.1:{port}"
    async with Database(settings) as database, database.connection() as db:
        workspaces = [await make_workspace(db, f"tenant {n}") for n in range(_WORKSPACES)]
        for n in range(connections):
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


async def _until_done(settings: Settings, connections: int) -> None:
    deadline = time.monotonic() + _LONGEST
    async with Database(settings) as database, database.connection() as db:
        while True:
            found = await db.execute(
                "SELECT count(DISTINCT (workspace_id, connection_id)) FROM runs"
                " WHERE state = 'done'"
            )
            done = await found.fetchone()
            if done == (connections,):
                break
            if time.monotonic() > deadline:
                sys.exit(f"{done} connections are synced after {_LONGEST:.0f} s.")
            await asyncio.sleep(0.5)
        found = await db.execute("SELECT count(*) FROM documents")
        documents = (await found.fetchone() or (0,))[0]
        if documents != connections * PAGES:
            sys.exit(f"There are {documents} documents, not {connections * PAGES}.")
