"""Running syncs in tests: in this process, or in one that may be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from syncline.bootstrap import build_tools, open_transport
from syncline.core.failpoints import ENVIRONMENT_VARIABLE
from syncline.core.model import Json, Mode
from syncline.settings import Settings
from syncline.store.connections import ConnectionRow, add_connection, list_connections
from syncline.store.workspaces import make_workspace
from syncline.sync.opening import OpenTransport
from syncline.sync.report import Report
from syncline.sync.run import RunRequest, Tools, run_connection
from tests.support.forks import start_process
from tests.support.scripted import ENVIRONMENT

__all__ = [
    "Ended",
    "Source",
    "Syncs",
    "open_syncs",
    "open_tools",
    "sync_process",
    "sync_process_result",
    "syncs_of",
]

_ROOT = Path(__file__).resolve().parents[2]


class Source(Protocol):
    """What is synced: a scripted `World`, or anything else that says how it is opened."""

    @property
    def path(self) -> Path | str:
        """What a person would type."""
        ...

    @property
    def options(self) -> Mapping[str, Json]:
        """The connector's options."""
        ...


@dataclass(frozen=True, slots=True)
class _Given:
    """A source as another process was told of it."""

    path: str
    options: Mapping[str, Json]


@dataclass(slots=True)
class Syncs:
    """A workspace with one connection, ready to be synced."""

    tools: Tools
    row: ConnectionRow

    async def run(self, mode: Mode = Mode.INCREMENTAL, **more: Any) -> Report:
        return await run_connection(self.tools, RunRequest(self.row, mode, **more))


@asynccontextmanager
async def open_tools(
    settings: Settings, *, open_transport: OpenTransport = open_transport
) -> AsyncIterator[Tools]:
    """An open database, and worker processes of its own."""
    tools = build_tools(
        settings, environ={**os.environ, **ENVIRONMENT}, open_transport=open_transport
    )
    async with tools.database:
        try:
            yield tools
        finally:
            await tools.pool.close()


async def syncs_of(tools: Tools, workspace: str, world: Source, kind: str = "scripted") -> Syncs:
    """Syncs of a workspace's one connection, which is made if it is not there."""
    async with tools.database.connection() as db:
        ws = await make_workspace(db, workspace)
        rows = await list_connections(db, ws)
        row = (
            rows[0]
            if rows
            else await add_connection(
                db,
                ws,
                kind=kind,
                name=kind.partition("-")[0],
                source=str(world.path),
                options=world.options,
                options_version=1,
            )
        )
    return Syncs(tools, row)


@asynccontextmanager
async def open_syncs(
    settings: Settings,
    workspace: str,
    world: Source,
    kind: str = "scripted",
    *,
    open_transport: OpenTransport = open_transport,
) -> AsyncIterator[Syncs]:
    """Syncs in this process, with worker processes of its own."""
    async with open_tools(settings, open_transport=open_transport) as tools:
        yield await syncs_of(tools, workspace, world, kind)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a sync's process ended."""

    status: int
    report: Mapping[str, Any] | None
    errors: str

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


def sync_process(
    settings: Settings,
    workspace: str,
    world: Source,
    kind: str = "scripted",
    *,
    failpoints: str = "",
    mode: str = "incremental",
    forked: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a sync in a process of its own, with failpoints armed in it and in its workers.

    Its workers are its descendants only when it is not `forked`.
    """
    given = [workspace, str(world.path), json.dumps(dict(world.options)), kind, mode]
    return start_process(
        "tests.support.syncs",
        given,
        cwd=_ROOT,
        env={
            **os.environ,
            **settings.to_environment(),
            **ENVIRONMENT,
            ENVIRONMENT_VARIABLE: failpoints,
        },
        forked=forked,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def sync_process_result(process: subprocess.Popen[bytes], *, seconds: float = 60) -> Ended:
    """Wait for it."""
    with process:
        output, errors = process.communicate(timeout=seconds)
    lines = output.decode().strip().splitlines()
    report = json.loads(lines[-1]) if lines else None
    return Ended(process.returncode, report, errors.decode())


async def _main() -> None:
    workspace, path, options, kind, mode = sys.argv[1:]
    settings = Settings.from_environment()
    async with open_syncs(settings, workspace, _Given(path, json.loads(options)), kind) as syncs:
        if mode == "force":
            report = await syncs.run(force=True)
        else:
            report = await syncs.run(Mode(mode))
    print(json.dumps(report.as_json()))


if __name__ == "__main__":
    asyncio.run(_main())
