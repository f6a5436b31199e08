"""A worker in a process of its own, with jobs that hold, kill it, or leave a mark.

`python -m tests.support.job_worker`: prints a line for each job that has ended, of its id and its
state. Jobs of kind `sync` are real ones, of scripted sources.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from msgspec.structs import replace

from syncline.bootstrap import build_tools
from syncline.core.failpoints import ENVIRONMENT_VARIABLE
from syncline.core.jobs import ClaimedJob, Done, Outcome
from syncline.engines.embedded import EmbeddedEngine
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.parts import PARTITION
from syncline.sync.shared import partition_handler
from syncline.sync.sync_job import SYNC, sync_handler
from tests.support.forks import start_process
from tests.support.scripted import ENVIRONMENT

__all__ = ["start_worker"]

_ROOT = Path(__file__).resolve().parents[2]
_CONCURRENCY = 8


def start_worker(
    settings: Settings, *, output: int = subprocess.PIPE, failpoints: str = ""
) -> subprocess.Popen[str]:
    """Start one. It ends with SIGTERM, having given back what it runs."""
    return start_process(
        "tests.support.job_worker",
        [],
        cwd=_ROOT,
        env={
            **os.environ,
            **settings.to_environment(),
            **ENVIRONMENT,
            ENVIRONMENT_VARIABLE: failpoints,
        },
        stdout=output,
        text=True,
    )


async def _mark(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
    """Payload: `folder`, in which a file gets the job's name."""
    Path(str(job.payload["folder"]), str(job.id)).touch()
    return Done()


async def _poison(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return Done()


async def _hold(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
    """Payload: `folder`. Says which process has begun it, and goes on when that may."""
    folder = Path(str(job.payload["folder"]))
    (folder / f"begun-{os.getpid()}").touch()
    while not (folder / f"go-{os.getpid()}").exists():  # noqa: ASYNC110 - told by another process
        await asyncio.sleep(0.01)
    return Done()


async def _main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings.from_environment()
    async with Database(settings) as database:
        tools = replace(build_tools(settings, environ=os.environ), database=database)
        handlers = {
            "mark": _mark,
            "poison": _poison,
            "hold": _hold,
            SYNC: sync_handler(tools, lambda report: None),
            PARTITION: partition_handler(tools),
        }
        engine = EmbeddedEngine(
            database,
            handlers,
            _CONCURRENCY,
            on_ended=lambda job, outcome, state: print(job.id, state, flush=True),
        )
        try:
            await engine.run(stop)
        finally:
            await tools.pool.close()


if __name__ == "__main__":
    asyncio.run(_main())
