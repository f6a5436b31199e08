"""Worker processes come, die and are replaced; none is left over."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from syncline.cli.running import end_threads
from syncline.core.errors import SynclineError
from syncline.settings import Settings
from syncline.sync.nursery import Nursery, WorkerProcess
from syncline.sync.pool import read_message, write_message
from tests.support.data_folders import settings_for
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forking is safe on Linux alone")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    settings: Settings = settings_for(tmp_path, embedder="hashing")
    return {**os.environ, **settings.to_environment()}


@pytest.fixture(params=["started", "copied"])
async def nursery(
    environment: dict[str, str], request: pytest.FixtureRequest
) -> AsyncIterator[Nursery]:
    """A program of its own, or a copy of this process, as a command makes it."""
    nursery = Nursery(environment, most=2)
    if request.param == "copied":
        nursery.end_threads = end_threads
    yield nursery
    await nursery.close()


async def _answers(worker: WorkerProcess) -> bool:
    """Whether a worker does as it is told: here, to close what it never opened."""
    worker.writer.write(write_message(("close", 7)))
    try:
        head = await worker.reader.readexactly(4)
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    body = await worker.reader.readexactly(int.from_bytes(head, "big"))
    return bool(read_message(body) == ("closed",))


async def _end(*workers: WorkerProcess) -> None:
    for worker in workers:
        worker.writer.close()
    await asyncio.gather(*(worker.ended for worker in workers))


async def test_workers_are_copies_of_one_process_with_one_thread(nursery: Nursery) -> None:
    """A process with more would not be safe to copy; what was imported is not imported again."""
    one, two = await nursery.make(), await nursery.make()
    assert await _answers(one)
    assert await _answers(two)
    (parent,) = {psutil.Process(each.pid).ppid() for each in (one, two)}
    assert len(os.listdir(f"/proc/{parent}/task")) == 1  # noqa: PTH208 - no folder of files
    await _end(one, two)
    assert (one.ended.result(), two.ended.result()) == (0, 0)


async def test_a_copy_is_made_only_without_other_threads(environment: dict[str, str]) -> None:
    """Idle ones are ended first; while one is at work, the nursery is a program of its own. A copy
    holds nothing open that its original does, or a lock would outlive the command."""
    held, theirs = socket.socketpair()
    asked = []

    async def asks() -> bool:
        asked.append(await end_threads())
        return asked[-1]

    nursery = Nursery(environment, most=2)
    nursery.end_threads = asks
    goes_on = threading.Event()
    busy = asyncio.create_task(asyncio.to_thread(goes_on.wait))
    await asyncio.to_thread(lambda: None)
    first = await nursery.make()
    goes_on.set()
    await busy
    psutil.Process(psutil.Process(first.pid).ppid()).kill()
    await asyncio.wait_for(first.ended, 30)
    second = await nursery.make()
    assert asked == [False, True]
    held.close()
    assert theirs.recv(1) == b""
    theirs.close()
    assert await _answers(second)
    first.writer.close()
    await _end(second)
    await nursery.close()


async def test_a_dead_worker_says_how_it_ended_and_its_siblings_go_on(nursery: Nursery) -> None:
    """By its signal; another takes its place."""
    one, two = await nursery.make(), await nursery.make()
    one.kill()
    assert await asyncio.wait_for(one.ended, 30) == -signal.SIGKILL
    assert not await _answers(one)
    assert await _answers(two)
    three = await nursery.make()
    assert await _answers(three)
    await _end(two, three)


async def test_the_death_of_the_nursery_is_made_up_for(nursery: Nursery) -> None:
    """Its workers finish what they are at, and the next one comes from another."""
    one = await nursery.make()
    psutil.Process(psutil.Process(one.pid).ppid()).kill()
    await asyncio.wait_for(one.ended, 30)
    assert await _answers(one)
    two = await nursery.make()
    assert await _answers(two)
    one.writer.close()
    await _end(two)


async def test_a_nursery_that_cannot_begin_is_told(tmp_path: Path) -> None:
    """At once, and with where to look."""
    nursery = Nursery({**os.environ, "SYNCLINE_EMBEDDER": "no-such-model"}, most=2)
    with pytest.raises(SynclineError, match="could make one"):
        await asyncio.wait_for(nursery.make(), 60)
    await nursery.close()


_COORDINATOR = """
import asyncio, os, sys
from syncline.sync.nursery import Nursery

async def main():
    nursery = Nursery(dict(os.environ), most=2)
    workers = [await nursery.make() for _ in range(2)]
    print(*(worker.pid for worker in workers), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_nothing_outlives_a_killed_coordinator(environment: dict[str, str]) -> None:
    """Workers and nursery end when nobody is there to ask them."""
    with subprocess.Popen(
        [sys.executable, "-c", _COORDINATOR], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        everyone = [*workers, workers[0].parent()]
        process.kill()

    def gone(process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess):
            return bool(process.status() == psutil.STATUS_ZOMBIE)
        return True

    wait_until(lambda: all(map(gone, everyone)))
